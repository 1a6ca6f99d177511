"""Light and the things that many scenes share: skies, clouds, water, ridges, trees, bokeh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    fractal,
    fractal_line,
    hsv,
    lighter,
    linear,
    mix,
    palette,
    pick,
    rgb,
    smooth,
    tint,
)


@dataclass(frozen=True, slots=True)
class Light:
    """One time of day and weather: colours that a whole picture agrees on."""

    sky: tuple[Colour, ...]  # from the zenith to the horizon
    sun: Colour
    haze: Colour  # what far things fade into
    tone: Colour  # colour of the light itself
    cloud: Colour

    def on(self, colour: Colour, distance: float = 0.0) -> Colour:
        """Colour of a thing in this light, seen from a distance (0 here, 1 gone in the haze)."""
        return mix(tint(colour, self.tone), self.haze, distance)


def _light(sky: str, rest: str) -> Light:
    """Light from hex codes."""
    sun, haze, tone, cloud = palette(rest)
    return Light(tuple(palette(sky)), sun, haze, tone, cloud)


LIGHTS = {
    "clear": _light("2a78cc 6fb1e8 cfe8f4", "fffbe6 cfe4ef ffffff ffffff"),
    "soft": _light("5a9edb a8d2ee f3f4e6", "fff6dc e0e9e6 fffaf0 ffffff"),
    "golden": _light("5f93c6 eec88f ffe6b0", "fff4c4 f3d6a6 ffe6c2 fff0d0"),
    "sunset": _light("36407f b0527f ff955c ffd892", "fff0b0 f0a27e f4b79c ff9f86"),
    "dawn": _light("7d9fd6 dfb4d2 ffe2cc", "fff6e2 ecccd6 f6dce2 fff0f0"),
    "dusk": _light("1c2758 55488c cb7d92 f4b79a", "ffe0b8 8c6f9c a290c4 8b6aa0"),
    "grey": _light("8594a3 b0bdc6 dde2e1", "f6f4ea c5cfd3 e0e6ea f1f3f3"),
    "storm": _light("3f4f62 70828f bcc6c2", "e8ecdc 93a2a9 bcc8d0 5d6b79"),
    "lagoon": _light("0f7a97 54b6bd eaf3d2", "fffde0 c6e6dc f4fff6 fdfff2"),
    "night": _light("060b26 14235a 3c4f8c", "f4f0da 2a3a70 6f80b8 33447c"),
}


def light(c: Canvas, names: str) -> Light:
    """One of the named lights."""
    return LIGHTS[pick(c.rng, names.split())]


def sky(c: Canvas, day: Light, horizon: float) -> None:
    """Gradient sky down to the horizon (units)."""
    n = len(day.sky)
    c.backdrop([(k / (n - 1), colour) for k, colour in enumerate(day.sky)], 0, min(c.h, horizon + 0.01))
    c.backdrop([(0, day.haze), (1, day.haze)], horizon + 0.01)


def sun(c: Canvas, day: Light, x: float, y: float, radius: float) -> None:
    """Sun (or moon) with two rings of glow."""
    c.soft(x, y, radius * 9, colour=day.sun, alpha=0.45, light=True)
    c.soft(x, y, radius * 3.4, colour=day.sun, alpha=0.7, light=True)
    c.soft(x, y, radius * 1.7, colour=lighter(day.sun, 0.5), alpha=1.0)
    turn = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    disc = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    c.shape(disc, lighter(day.sun, 0.6))


def clouds(c: Canvas, day: Light, bottom: float, cover: float = 0.5) -> None:
    """Noise clouds over the sky, lit from above; `cover` 0..1."""
    field = fractal(c.rng, 96, 64, cells=(3, 4), gain=0.55)
    window = np.sin(np.linspace(0.15, math.pi * 0.97, 64))[:, None] ** 0.6
    density = field * (0.55 + 0.45 * window)
    edge = 0.86 - 0.5 * cover
    body = smooth(edge, edge + 0.22, density)
    below = np.roll(body, -3, axis=0)
    c.veil(body * 0.92, day.cloud, 0, bottom)
    shade = np.clip(body * smooth(edge + 0.02, edge + 0.4, np.roll(density, 5, axis=0)), 0, 1)
    c.veil(shade * below * 0.45, mix(day.sky[0], day.haze, 0.55), 0, bottom)


def puffs(c: Canvas, day: Light, bottom: float, count: int) -> None:
    """Heaped clouds of round blots, with flat feet."""
    shadow = mix(day.cloud, day.sky[1], 0.55)
    for _ in range(count):
        x, y = c.between(0, c.w), c.between(0.1, max(0.12, bottom * 0.65))
        size = c.between(0.05, 0.1)
        c.soft(x, y + size * 0.1, size * 2.6, size * 0.75, colour=shadow, alpha=0.9)
        for k in range(9):
            offset = (k - 4) * size * 0.42 + c.between(-0.15, 0.15) * size
            heap = 1 - (abs(k - 4) / 4.6) ** 1.6
            radius = size * (0.45 + 0.75 * heap) * c.between(0.8, 1.15)
            c.soft(x + offset, y - heap * size * 0.45, radius * 1.15, radius, colour=day.cloud, alpha=0.95)
        c.soft(x + size * 0.3, y + size * 0.35, size * 2.2, size * 0.4, colour=shadow, alpha=0.6)


def ridge(c: Canvas, y: float, height: float, *, cells: int = 3, gain: float = 0.45) -> Points:
    """Outline of a hill range from the left edge to the right, closed along the bottom."""
    line = fractal_line(c.rng, 96, cells=cells, gain=gain)
    x = np.linspace(-0.01, c.w + 0.01, 96)
    top = np.stack([x, y - height * line], axis=1)
    return np.concatenate([top, [[c.w + 0.01, c.h + 0.01], [-0.01, c.h + 0.01]]])


def hills(c: Canvas, day: Light, colour: Colour, far: float, near: float, count: int = 3) -> None:
    """Rolling ground in `count` layers between two heights, hazier with distance."""
    for k in range(count):
        share = k / max(1, count - 1)
        y = far + (near - far) * share
        body = day.on(colour, 0.5 * (1 - share))
        outline = ridge(c, y, 0.02 + 0.03 * share, cells=3, gain=0.3)
        c.shape(outline, linear(lighter(body, 0.16), darker(body, 0.22)))


def texture(
    c: Canvas, top: float, bottom: float, dark: Colour, alpha: float, *, cells: tuple[int, int]
) -> None:
    """Mottle a strip with noise, finer towards the horizon."""
    field = fractal(c.rng, 96, 96, cells=cells, gain=0.8)
    field = field[(np.linspace(0, 1, 96) ** 0.6 * 95).astype(int)] * np.linspace(0.3, 1, 96)[:, None]
    c.veil(smooth(0.35, 0.85, field) * alpha, dark, top, bottom)


def meadow(c: Canvas, top: float, green: Colour) -> None:
    """Grass: shade, sun and specks of flowers."""
    texture(c, top, c.h, darker(green, 0.35), 0.35, cells=(12, 12))
    texture(c, top, c.h, lighter(green, 0.3), 0.4, cells=(12, 24))
    if c.chance(0.5):
        n = int(c.rng.integers(30, 90))
        depth = c.rng.random(n) ** 0.7
        spots = np.stack([c.rng.random(n) * c.w, top + (c.h - top) * depth], axis=1)
        bloom = hsv(pick(c.rng, (0.0, 0.13, 0.8, 0.93, 0.6)), 0.5, 1.0)
        c.dots(
            spots, 0.0012 + 0.004 * depth, [mix(bloom, green, 0.25), rgb("fff8e8"), mix(bloom, green, 0.1)]
        )


def sea(c: Canvas, day: Light, top: float, far: Colour, near: Colour, bottom: float | None = None) -> None:
    """Water from a horizon down: gradient, swell that widens towards the viewer, glints."""
    end = c.h if bottom is None else bottom
    c.backdrop([(0, day.on(far, 0.35)), (0.25, day.on(far)), (1, day.on(near))], top, end)
    field = fractal(c.rng, 64, 128, cells=(3, 16), gain=0.65)
    stretch = np.linspace(0, 1, 96) ** 0.55
    swell = field[(stretch * 127).astype(int)]
    strength = np.linspace(0.25, 0.8, 96)[:, None]
    c.veil(smooth(0.55, 0.8, swell) * strength * 0.6, mix(day.on(near), day.sky[-1], 0.65), top, end)
    c.veil(smooth(0.55, 0.85, 1 - swell) * strength * 0.5, darker(day.on(far), 0.3), top, end)


def glitter(c: Canvas, day: Light, x: float, top: float, bottom: float) -> None:
    """Path of sunlight on water."""
    n = 46
    depth = c.rng.random(n) ** 1.3
    y = top + (bottom - top) * depth
    spread = 0.015 + 0.1 * depth
    at = x + c.rng.normal(0, 1, n) * spread * 0.55
    for px, py, wide in zip(at, y, spread, strict=True):
        half = wide * 0.42
        c.soft(float(px), float(py), float(half), 0.004 + 0.006 * half / 0.05, colour=day.sun, alpha=0.75)


def pine(c: Canvas, x: float, foot: float, height: float, colour: Colour, snow: Colour | None = None) -> None:
    """Conifer in tiers; `snow` lies on its branches."""
    tiers = 5
    lean = height * c.between(-0.02, 0.02)
    bark = darker(mix(colour, rgb("5a4030"), 0.5), 0.3)
    c.shape(
        np.array([(x - height * 0.025, foot), (x + height * 0.025, foot), (x, foot - height * 0.6)]), bark
    )
    for k in range(tiers):
        base = foot - height * (0.1 + 0.17 * k)
        tip = base - height * (0.34 - 0.02 * k)
        half = height * (0.27 - 0.046 * k) * c.between(0.9, 1.1)
        mid = x + lean * k
        sag = height * 0.03
        outline = [(mid, tip), (mid + half * 0.5, base - sag), (mid + half, base + sag * 0.6), (mid, base)]
        outline += [(mid - half, base + sag * 0.6), (mid - half * 0.5, base - sag)]
        shade = mix(darker(colour, 0.25), colour, k / (tiers - 1))
        c.shape(np.array(outline), shade)
        if snow is not None:
            tall = (
                base - tip
            )  # the lower part stays bare: at 64 pixels a tree all in white is lost in the snow
            cap = [
                (mid, tip),
                (mid + half * 0.34, base - tall * 0.34),
                (mid + half * 0.12, base - tall * 0.46),
            ]
            cap += [(mid - half * 0.1, base - tall * 0.28), (mid - half * 0.4, base - tall * 0.24)]
            c.shape(np.array(cap), mix(snow, shade, 0.06 * (tiers - 1 - k)))
        else:
            lit = np.array([(mid, tip), (mid - half, base + sag * 0.6), (mid - half * 0.2, base)])
            c.shape(lit, lighter(shade, 0.1))


def tree(c: Canvas, x: float, foot: float, height: float, colour: Colour) -> None:
    """Round-headed tree, lit from the upper left."""
    trunk = mix(darker(colour, 0.45), rgb("5b4030"), min(1.0, sum(colour) / 300))
    half = height * 0.035
    c.shape(
        np.array(
            [
                (x - half, foot),
                (x + half, foot),
                (x + half * 0.5, foot - height * 0.6),
                (x - half * 0.5, foot - height * 0.6),
            ]
        ),
        trunk,
    )
    for shade, shift, scale in (
        (darker(colour, 0.35), 0.04, 1.0),
        (colour, 0.0, 0.86),
        (mix(colour, lighter(colour, 0.18), min(1.0, sum(colour) / 250)), -0.05, 0.5),
    ):
        for _ in range(7):
            dx, dy = c.between(-0.24, 0.24), c.between(-0.2, 0.2)
            r = height * c.between(0.13, 0.2) * (0.6 + 0.4 * scale)
            px = x + (dx * scale + shift) * height
            py = foot - height * 0.68 + (dy * scale + shift) * height
            c.dots(np.array([[px, py]]), np.array([r]), [shade])


def bokeh(c: Canvas, colours: list[Colour], count: int, low: float = 0.03, high: float = 0.12) -> None:
    """Blurred lights of a background out of focus."""
    for _ in range(count):
        r = c.between(low, high)
        x, y = c.between(0, c.w), c.between(0, c.h)
        c.soft(x, y, r, colour=pick(c.rng, colours), alpha=c.between(0.2, 0.6))


def blurred_garden(c: Canvas, base: Colour, other: Colour) -> None:
    """Leafy background far out of focus."""
    c.backdrop([(0, lighter(base, c.between(0, 0.5))), (1, darker(base, c.between(0.1, 0.4)))])
    field = fractal(c.rng, 12, 12, cells=(3, 3), gain=0.45)
    c.veil(smooth(0.3, 0.95, field) * 0.85, other)
    c.veil(smooth(0.5, 1.0, 1 - field) * 0.5, darker(base, 0.3))
