"""On the coast: sailboat, lighthouse."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.beach import water
from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import Light, clouds, glitter, light, puffs, ridge, sea, sky, sun
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    box,
    darker,
    fractal_line,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    rgb,
    spline,
    steps,
)

SAILS = (
    "fbf7ee fbf7ee",
    "fbf7ee e2543c",
    "f2b33d f7e6bb",
    "e2543c fbf7ee",
    "2f6f9f fbf7ee",
    "d94f70 f6c1b0",
    "fbf7ee 2f8f8a",
    "f08a3a fbe8c0",
)
STRIPES = (
    "f7f3ea c8352e",
    "f7f3ea c8352e",
    "f7f3ea 2b5c8f",
    "f7f3ea 2c2f36",
    "f7f3ea f7f3ea",
    "f7f3ea 2f7a68",
)


def sailboat(c: Canvas) -> None:
    """Boat under sail, with its reflection."""
    day = light(c, "clear soft golden sunset dawn dusk lagoon grey")
    horizon = c.h * c.between(0.42, 0.66)
    sky(c, day, horizon)
    if c.chance(0.5):
        clouds(c, day, horizon, c.between(0.2, 0.6))
    else:
        puffs(c, day, horizon, int(c.rng.integers(1, 4)))
    spot, shining = c.between(0.15, 0.85) * c.w, c.chance(0.5)
    if shining:
        sun(c, day, spot, horizon * c.between(0.35, 0.9), c.between(0.02, 0.04))
    if c.chance(0.4):
        c.shape(ridge(c, horizon - 0.015, 0.03), day.on(rgb("4a6a80"), 0.55))
    far, near = water(c)
    sea(c, day, horizon, far, near)
    if shining:
        glitter(c, day, spot, horizon, c.h)
    sea_colour = day.on(near)
    for _ in range(int(c.rng.integers(0, 3))):
        x, level = c.between(0.05, 0.95) * c.w, horizon + c.between(0.004, 0.03)
        pale, dull = day.on(rgb("f6f2ea"), 0.3), day.on(rgb("506070"), 0.3)
        _boat(c, x, level, c.between(0.05, 0.1), [pale, pale, dull, sea_colour])
    main, jib = palette(pick(c.rng, SAILS))
    hull = rgb(pick(c.rng, ("7b3f2a", "20364f", "f2efe6", "a83232", "2d6a66", "5a3b28")))
    level = min(c.h - 0.06, horizon + c.between(0.06, 0.2))
    size = min(c.side * c.between(0.45, 0.85), level - 0.02)
    look = [day.on(main), day.on(jib), day.on(hull), sea_colour]
    _boat(c, c.w * c.between(0.35, 0.65), level, size, look)


def _boat(c: Canvas, x: float, y: float, size: float, look: list[Colour]) -> None:
    """One boat whose waterline is at y; `look` is mainsail, jib, hull, water."""
    sail, second, hull, sea_colour = look
    flip = pick(c.rng, (-1, 1))
    tilt, bulge = c.between(-0.07, 0.07), c.between(0.04, 0.1)

    def put(points: Points | list[tuple[float, float]]) -> Points:
        return place(np.asarray(points) * (flip, 1), x, y, size, tilt)

    main = spline([(0.02, -0.92), (0.16 + bulge, -0.55), (0.42, -0.16)], closed=False)
    fore = spline([(-0.02, -0.84), (-0.12 - bulge, -0.5), (-0.36, -0.13)], closed=False)
    deck = [(-0.44, -0.1), (-0.2, -0.085), (0.1, -0.085), (0.4, -0.1)]
    keel = [(0.34, -0.02), (0.2, 0.02), (-0.2, 0.02), (-0.34, -0.03)]
    reflection = [(0.0, 0.02), (0.42, 0.1), (0.1, 0.62), (-0.3, 0.12)]
    c.shape(put(reflection), mix(sail, sea_colour, 0.35), alpha=0.45, blur=size * 0.02)
    under = [(-0.4, 0.0), (0.38, 0.0), (0.26, 0.1), (-0.28, 0.1)]
    c.shape(put(under), darker(hull, 0.4), alpha=0.6, blur=size * 0.015)
    c.stroke(put([(0.0, -0.06), (0.0, -0.96)]), rgb("6f5540"), size * 0.016)
    toward, away = (0.5, 2.6) if flip > 0 else (2.6, 0.5)
    c.shape(put([*main, (0.03, -0.17)]), linear(lighter(sail, 0.3), darker(sail, 0.28), toward))
    c.shape(put([*fore, (-0.03, -0.15)]), linear(lighter(second, 0.15), darker(second, 0.22), away))
    c.shape(put(spline([*deck, *keel], steps=5)), linear(lighter(hull, 0.2), darker(hull, 0.4)))
    c.stroke(
        put([(-0.42, -0.09), (-0.2, -0.08), (0.1, -0.08), (0.39, -0.09)]), lighter(hull, 0.6), size * 0.012
    )
    wake = [(-0.4, 0.012), (-0.1, 0.022), (0.2, 0.022), (0.42, 0.01)]
    c.stroke(put(wake), lighter(sea_colour, 0.6), size * 0.012, alpha=0.7)


def lighthouse(c: Canvas) -> None:
    """Striped tower on a rock; its beams shine when it is dark."""
    day = light(c, "clear soft golden sunset dawn dusk storm night night grey lagoon")
    horizon = c.h * c.between(0.6, 0.74)
    sky(c, day, horizon)
    clouds(c, day, horizon, c.between(0.2, 0.75))
    sea(c, day, horizon, *water(c))
    x, foot = c.w * c.between(0.3, 0.7), horizon + c.between(-0.06, 0.02)
    size = min(c.h * c.between(0.42, 0.6), (foot - 0.03) / 1.22)
    dark = sum(day.tone) < 560
    lamp = foot - size * 1.01
    if dark:
        c.dots(c.rng.random((50, 2)) * (c.w, horizon), c.rng.uniform(0.0008, 0.002, 50), [rgb("e8ecff")])
        for turn in (c.between(-0.35, 0.1), math.pi + c.between(-0.1, 0.35)):
            ends = [(x + 1.2 * math.cos(turn + d), lamp + 1.2 * math.sin(turn + d)) for d in (-0.09, 0.09)]
            c.shape([(x, lamp), *ends], rgb("fff3c0"), alpha=0.4, blur=0.012)
    _rocks(c, day, x, foot)
    _tower(c, x, foot + 0.015, size, [day.on(colour) for colour in palette(pick(c.rng, STRIPES))])
    if dark:
        c.soft(x, lamp, 0.16, colour=rgb("ffe9a0"), alpha=0.8, light=True)
    c.soft(x, lamp, size * 0.08, colour=rgb("fff6cf"), light=True)


def _rocks(c: Canvas, day: Light, x: float, foot: float) -> None:
    """Craggy headland in the surf."""
    rock = rgb(pick(c.rng, ("8a7a6c", "6f7684", "a08a6a", "7a8068")))
    side = pick(c.rng, (-1, 1))
    for k, (reach, drop, shade) in enumerate(((0.5, 0.02, 0.28), (0.36, 0.0, 0.0), (0.2, 0.09, 0.12))):
        at = np.linspace(-1, 1, 27)
        rise = fractal_line(c.rng, 27, cells=7, gain=0.7) * 0.035 * np.abs(at) ** 0.5
        top = foot + drop + 0.14 * np.abs(at) ** 1.8 - rise
        line = np.stack([x + side * (0.1 * (k == 0) - 0.16 * (k == 2)) + at * reach, top], axis=1)
        body = day.on(darker(rock, shade))
        sole = [(line[-1, 0] + 0.02, foot + 0.23), (line[0, 0] - 0.02, foot + 0.23)]
        c.shape(np.concatenate([line, sole]), linear(lighter(body, 0.2), darker(body, 0.5)))
        for j in range(4, 23, 3):
            crag = [line[j], line[j + 2], line[j + 1] + (c.between(-0.02, 0.05), c.between(0.05, 0.12))]
            c.shape(crag, darker(body, 0.45), alpha=0.45)
        if k == 1:
            turf = np.concatenate([line[5:22], place(line[21:4:-1], 0, 0.022)])
            c.shape(turf, day.on(rgb("7fa05a")), blur=0.003, alpha=0.9)
    foam = day.on(rgb("ffffff"))
    for _ in range(16):
        spot = x + c.between(-0.55, 0.55), foot + c.between(0.203, 0.235)
        c.soft(*spot, c.between(0.03, 0.1), 0.016, colour=foam, alpha=0.8)


def _tower(c: Canvas, x: float, foot: float, size: float, colours: list[Colour]) -> None:
    """Tower, gallery and lamp room."""
    low, high, tall = size * c.between(0.125, 0.15), size * 0.085, size * 0.92
    white, band = colours
    count = int(c.rng.integers(3, 7))
    share = np.linspace(0, 1, count + 1)
    half = low + (high - low) * share**0.8
    for k in range(count):
        base, top = foot - tall * share[k], foot - tall * share[k + 1]
        part = [(x - half[k], base), (x + half[k], base), (x + half[k + 1], top), (x - half[k + 1], top)]
        colour = colours[k % 2]
        shading = ((0, lighter(colour, 0.15)), (0.4, colour), (1, darker(colour, 0.5)))
        c.shape(part, steps(*shading, angle=0.0))
    for level in (0.25, 0.5, 0.75):
        y = foot - tall * level
        c.shape(box(x - size * 0.02, y - size * 0.035, x + size * 0.02, y + size * 0.02), rgb("2f3440"))
    deck, iron = foot - tall, rgb("33343c")
    c.shape(box(x - high * 1.5, deck - size * 0.025, x + high * 1.5, deck + size * 0.01), iron)
    c.shape(box(x - high * 0.85, deck - size * 0.16, x + high * 0.85, deck - size * 0.02), rgb("ffeeb0"))
    for at in (-0.85, -0.3, 0.3, 0.85):
        c.stroke([(x + high * at, deck - size * 0.16), (x + high * at, deck)], iron, size * 0.012)
    roof = band if band != white else rgb("a8382f")
    outline = [(-1.1 * high, -size * 0.155), (0, -size * 0.27), (1.1 * high, -size * 0.155)]
    c.shape(place(outline, x, deck), linear(lighter(roof, 0.1), darker(roof, 0.5), 0.0))
