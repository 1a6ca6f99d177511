"""Open land: desert, snow."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import Light, clouds, light, pine, ridge, sky, sun, texture
from concept_lib.images.sample.paint import (
    Colour,
    arc,
    darker,
    ellipse,
    fractal,
    lighter,
    linear,
    mix,
    pick,
    place,
    radial,
    rgb,
    smooth,
    spline,
    steps,
)


def desert(c: Canvas) -> None:
    """Dunes or a cactus plain in hot light."""
    day = light(c, "clear golden golden sunset dawn dusk soft")
    horizon = c.h * c.between(0.36, 0.58)
    sky(c, day, horizon + 0.1)
    if c.chance(0.75):
        sun(c, day, c.between(0.15, 0.85) * c.w, horizon * c.between(0.3, 0.9), c.between(0.03, 0.07))
    if c.chance(0.4):
        clouds(c, day, horizon, c.between(0.05, 0.3))
    sand = rgb(pick(c.rng, ("e0a055", "d88a48", "e8bd7a", "c9743f", "dca878")))
    if c.chance(0.45):
        _mesas(c, day, horizon, sand)
    else:
        _dunes(c, day, horizon, sand)


def _dunes(c: Canvas, day: Light, horizon: float, sand: Colour) -> None:
    """Dunes whose crests part light from shade, with wind ripples in front."""
    c.shape(ridge(c, horizon - 0.01, 0.02, cells=4), day.on(sand, 0.55))
    count = int(c.rng.integers(5, 10))
    side = pick(c.rng, (-1, 1))
    for k in range(count):
        share = k / (count - 1)
        base = horizon + 0.05 + (c.h * 1.02 - horizon) * share
        body = day.on(sand, 0.5 * (1 - share) ** 1.5)
        wide = (0.24 + 0.34 * share) * c.between(0.8, 1.3)
        tall = (0.1 + 0.16 * share) * c.between(0.6, 1.2)
        c.backdrop([(0, mix(body, day.haze, 0.1)), (1, body)], base - 0.02)
        _dune(c, c.between(-0.05, 1.05) * c.w, base, wide, tall, body, side)
    rows = np.sin(np.linspace(0, 1, 96)[:, None] ** 0.7 * 110 + 5 * fractal(c.rng, 64, 96, cells=(3, 3)))
    fade = np.linspace(0, 1, 96)[:, None]
    c.veil(smooth(0.3, 1.0, rows) * fade * 0.3, day.on(darker(sand, 0.35)), c.h * 0.72, c.h)


def _dune(c: Canvas, x: float, base: float, wide: float, tall: float, body: Colour, side: int) -> None:
    """One dune: a long lit slope, a winding crest and a steep face in shade."""
    bend = c.between(-0.25, 0.25)
    lit = spline([(-2.0, 0.02), (-1.2, -0.2), (-0.5, -0.72), (0, -1)], closed=False, steps=8)
    steep = spline([(0, -1), (0.35, -0.62), (0.9, -0.2), (1.7, 0.02)], closed=False, steps=8)
    crest = spline(
        [(0, -1), (0.1 + bend * 0.4, -0.72), (-0.18 + bend, -0.38), (0.3 + bend, 0.02)], closed=False, steps=8
    )
    frame = np.array([side * wide, tall])
    floor = np.array([[1.7, 0.05], [-2.0, 0.05]])
    c.shape(
        np.concatenate([lit, steep, floor]) * frame + (x, base),
        steps((0, lighter(body, 0.28)), (0.7, body), (1, body)),
    )
    dark = mix(darker(body, 0.42), body, 0.1)
    c.shape(
        np.concatenate([steep, crest[::-1]]) * frame + (x, base),
        steps((0, dark), (0.55, mix(dark, body, 0.35)), (1, body)),
    )


def _mesas(c: Canvas, day: Light, horizon: float, sand: Colour) -> None:
    """Table mountains and cacti."""
    rock = mix(sand, rgb("9a3f2a"), 0.5)
    for _ in range(int(c.rng.integers(1, 4))):
        x, wide, tall = c.between(0, c.w), c.between(0.08, 0.2), c.between(0.08, 0.22)
        left = [
            (x - wide * 1.5, horizon + 0.02),
            (x - wide * 1.05, horizon - tall * 0.4),
            (x - wide, horizon - tall),
        ]
        right = [
            (x + wide, horizon - tall * c.between(0.92, 1.04)),
            (x + wide * 1.1, horizon - tall * 0.4),
            (x + wide * 1.6, horizon + 0.02),
        ]
        body = day.on(rock, c.between(0.2, 0.5))
        c.shape(np.array(left + right), linear(lighter(body, 0.12), darker(body, 0.35), 0.3))
        for share in (0.25, 0.5):
            y = horizon - tall * (1 - share)
            c.stroke(
                np.array([(x - wide * 1.03, y), (x + wide * 1.05, y)]), darker(body, 0.25), 0.006, alpha=0.5
            )
    ground = day.on(sand)
    c.shape(ridge(c, horizon + 0.02, 0.012), linear(mix(ground, day.haze, 0.4), darker(ground, 0.15)))
    texture(c, horizon + 0.03, c.h, darker(ground, 0.4), 0.4, cells=(10, 14))
    count = int(c.rng.integers(2, 6))
    for share in np.sort(c.rng.random(count)):
        foot = horizon + 0.05 + (c.h - horizon - 0.08) * float(share)
        _cactus(c, c.between(0.06, 0.94) * c.w, foot, (0.1 + 0.4 * float(share)) * c.h, day)


def _cactus(c: Canvas, x: float, foot: float, height: float, day: Light) -> None:
    """Saguaro with arms."""
    green = day.on(rgb("4f7f4a"))
    wide = height * 0.17
    c.soft(x + height * 0.25, foot, height * 0.4, height * 0.05, colour=rgb("4a2a22"), alpha=0.7)
    for colour, scale, shift in (
        (darker(green, 0.35), 1.0, 0.0),
        (green, 0.72, -0.12),
        (lighter(green, 0.25), 0.2, -0.3),
    ):
        dx = shift * wide
        for side, reach, low, top in ((-1, 0.26, 0.42, 0.78), (1, 0.3, 0.32, 0.68)):
            arm = spline(
                [
                    (x + dx, foot - height * low),
                    (x + dx + side * height * reach * 0.8, foot - height * (low + 0.02)),
                    (x + dx + side * height * reach, foot - height * (low + 0.12)),
                    (x + dx + side * height * reach, foot - height * top),
                ],
                closed=False,
                steps=6,
            )
            c.stroke(arm, colour, wide * 0.7 * scale)
            c.dots(arm[-1:], np.array([wide * 0.35 * scale]), [colour])
        c.stroke(np.array([(x + dx, foot), (x + dx, foot - height)]), colour, wide * scale)
        c.dots(np.array([[x + dx, foot - height]]), np.array([wide * 0.5 * scale]), [colour])


def snow(c: Canvas) -> None:
    """Winter land under falling snow."""
    day = light(c, "soft dawn dusk grey grey storm night clear golden")
    horizon = c.h * c.between(0.4, 0.6)
    sky(c, day, horizon + 0.1)
    if c.chance(0.4):
        clouds(c, day, horizon, c.between(0.3, 0.8))
    white = mix(day.on(rgb("f6f9ff")), rgb("f6f9ff"), 0.35)
    blue = mix(white, mix(day.sky[0], rgb("6f8fc8"), 0.5), 0.45)
    pines = day.on(rgb("3f6a68"))
    for k in range(4):
        share = k / 3
        far = 1 - share
        slope = ridge(c, horizon + (c.h * 0.92 - horizon) * share, 0.02 + 0.03 * share, cells=3, gain=0.25)
        for x in (c.rng.random(int(9 - 2 * k)) * c.w).tolist():
            foot = float(np.interp(x, slope[:96, 0], slope[:96, 1])) + 0.02
            height = (0.12 + 0.26 * share) * c.between(0.7, 1.15)
            pine(c, x, foot, height, mix(pines, day.haze, 0.55 * far), mix(white, day.haze, 0.4 * far))
        c.shape(slope, linear(mix(white, day.haze, 0.35 * far), mix(blue, day.haze, 0.2 * far)))
    if c.chance(0.4):
        x, foot = c.between(0.25, 0.75) * c.w, c.h * c.between(0.86, 0.95)
        _snowman(c, x, foot, c.h * c.between(0.25, 0.42), white, blue)
    n = int(c.rng.integers(60, 200))
    spots = c.rng.random((n, 2)) * (c.w, c.h)
    c.dots(spots, c.rng.uniform(0.0015, 0.006, n), [rgb("ffffff"), mix(white, day.haze, 0.3)])
    for _ in range(10):
        c.soft(c.between(0, c.w), c.between(0, c.h), c.between(0.012, 0.028), colour=rgb("ffffff"), alpha=0.7)


def _snowman(c: Canvas, x: float, foot: float, height: float, white: Colour, blue: Colour) -> None:
    """Three balls, a carrot, a hat and a scarf."""
    scarf = rgb(pick(c.rng, ("d8403a", "2f8f6a", "e0a02a", "3f6fc8", "a04fa8")))
    c.soft(x + height * 0.1, foot, height * 0.42, height * 0.08, colour=darker(blue, 0.4), alpha=0.8)
    for at, r in ((0.22, 0.25), (0.55, 0.18), (0.82, 0.13)):
        c.shape(ellipse(x, foot - height * at, height * r), radial(lighter(white, 0.6), darker(blue, 0.12)))
    for side in (-1, 1):
        arm = np.array(
            [
                (x + side * height * 0.14, foot - height * 0.58),
                (x + side * height * 0.4, foot - height * c.between(0.6, 0.8)),
            ]
        )
        c.stroke(arm, rgb("5a4030"), height * 0.018)
        c.dots(
            np.array([[x + side * height * 0.045, foot - height * 0.86]]),
            np.array([height * 0.014]),
            [rgb("20202a")],
        )
    c.shape(place([(0, -0.025), (0.16, 0.01), (0, 0.025)], x, foot - height * 0.81, height), rgb("f08a30"))
    c.stroke(
        arc(x, foot - height * 0.72, height * 0.12, height * 0.04, 0.1, math.pi - 0.1), scarf, height * 0.06
    )
    c.shape(
        place([(0.05, -0.7), (0.11, -0.7), (0.13, -0.5), (0.06, -0.5)], x, foot, height), darker(scarf, 0.15)
    )
    for k in range(3):
        c.dots(np.array([[x, foot - height * (0.62 - 0.1 * k)]]), np.array([height * 0.014]), [rgb("2a2a34")])
    if c.chance(0.6):
        brim = place([(-0.17, -0.91), (0.17, -0.91), (0.17, -0.94), (-0.17, -0.94)], x, foot, height)
        c.shape(brim, rgb("2b2a38"))
        c.shape(
            place([(-0.1, -0.93), (0.1, -0.93), (0.11, -1.12), (-0.11, -1.12)], x, foot, height),
            linear(rgb("3d3b50"), rgb("1e1d28"), 0.0),
        )
        c.shape(place([(-0.1, -0.94), (0.1, -0.94), (0.1, -0.98), (-0.1, -0.98)], x, foot, height), scarf)
