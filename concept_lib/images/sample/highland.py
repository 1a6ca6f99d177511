"""High and wooded land: mountain, forest."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import (
    Light,
    clouds,
    hills,
    light,
    meadow,
    pine,
    ridge,
    sky,
    sun,
    texture,
)
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    fractal,
    fractal_line,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    rgb,
    smooth,
    spline,
)


def _slope(c: Canvas, apex: Points, foot: Points, n: int = 24, rough: float = 0.05) -> Points:
    """Jagged line from a summit to the foot of a mountain."""
    share = np.linspace(0, 1, n)
    line = apex + (foot - apex) * share[:, None]
    jitter = fractal_line(c.rng, n, cells=3, gain=0.6) * np.sin(share * math.pi) * rough
    line[:, 0] += jitter
    line[:, 1] += jitter * 0.6
    return np.asarray(line)


def _peak(
    c: Canvas, day: Light, x: float, base: float, height: float, rock: Colour, snow: Colour, side: int
) -> None:
    """One mountain: a lit face, a shaded face, and snow down to a ragged line."""
    half = height * c.between(0.75, 1.05)
    apex = np.array([x, base - height])
    left = _slope(c, apex, np.array([x - half, base + 0.02]), rough=height * 0.1)
    right = _slope(c, apex, np.array([x + half * c.between(0.9, 1.2), base + 0.02]), rough=height * 0.1)
    spine = _slope(c, apex, np.array([x + half * c.between(-0.15, 0.2), base + 0.02]), rough=height * 0.3)
    bright, dull = lighter(rock, 0.12), darker(rock, 0.42)
    faces = ((left, bright if side < 0 else dull), (right, dull if side < 0 else bright))
    line = int(c.rng.integers(8, 15))
    for edge, colour in faces:
        c.shape(np.concatenate([edge, spine[::-1]]), linear(colour, mix(colour, day.haze, 0.45)))
        n = 9
        ends = np.linspace(0, 1, n)[:, None]
        ragged = edge[line] + (spine[line] - edge[line]) * ends
        ragged[:, 1] += np.where(np.arange(n) % 2 == 0, -1, 1) * height * c.rng.uniform(0.02, 0.09, n)
        cap = np.concatenate([edge[: line + 1], ragged, spine[line::-1]])
        cold = mix(snow, day.sky[0], 0.42) if colour == dull else snow
        c.shape(cap, linear(cold, mix(cold, day.haze, 0.2)))
    for _ in range(5):
        start = int(c.rng.integers(3, 18))
        edge = pick(c.rng, (left, right))
        a = edge[start] + (spine[start] - edge[start]) * c.between(0.1, 0.7)
        gully = np.array(
            [(0, 0), (0.01, height * 0.12), (c.between(-0.04, 0.04), height * c.between(0.15, 0.3))]
        )
        c.shape(place(gully, float(a[0]), float(a[1])), darker(rock, 0.5), alpha=0.35)


def mountain(c: Canvas) -> None:
    """High peaks over a valley or a lake."""
    day = light(c, "clear clear soft golden sunset dawn dusk grey lagoon")
    base = c.h * c.between(0.6, 0.78)
    sky(c, day, base)
    if c.chance(0.35):
        sun(c, day, c.between(0.1, 0.9) * c.w, base * c.between(0.15, 0.5), 0.025)
    clouds(c, day, base * 0.8, c.between(0.1, 0.6))
    rock = rgb(pick(c.rng, ("6d7388", "7d6f6a", "5c6b80", "86786e", "68607a")))
    side = pick(c.rng, (-1, 1))
    for distance, scale in ((0.72, 0.5), (0.45, 0.75)):
        c.shape(ridge(c, base - 0.22 * scale, 0.13 * scale, cells=5, gain=0.55), day.on(rock, distance))
    count = int(c.rng.integers(1, 4))
    places = np.linspace(0.5 / count, 1 - 0.5 / count, count) + c.rng.uniform(-0.1, 0.1, count)
    for k in c.rng.permutation(count):
        height = base * c.between(0.55, 0.82) * (1 if count == 1 else c.between(0.7, 1.0))
        _peak(c, day, float(places[k]) * c.w, base, height, day.on(rock, 0.12), day.on(rgb("fbfcff")), side)
    c.veil(np.linspace(0, 0.75, 24)[:, None].repeat(4, axis=1), day.haze, base - 0.18, base + 0.01)
    green = rgb(pick(c.rng, ("4f7f4a", "5f8a3f", "3f6f55", "8a8f45", "a8763a")))
    if c.chance(0.4):
        _lake(c, day, base, green)
    else:
        hills(c, day, green, base - 0.01, c.between(0.88, 0.97) * c.h, 3)
        meadow(c, base + 0.03, day.on(green))
    many = int(c.rng.integers(3, 16))
    for x in np.sort(c.rng.random(many)):
        foot = c.h * c.between(0.93, 1.08)
        pine(c, float(x) * c.w, foot, c.between(0.1, 0.26) * c.h, day.on(darker(rgb("2f5a44"), 0.15)))


def _lake(c: Canvas, day: Light, base: float, green: Colour) -> None:
    """Still water that mirrors the peaks."""
    c.shape(ridge(c, base + 0.005, 0.012, cells=6), day.on(darker(green, 0.3), 0.25))
    level = base + 0.035
    c.mirror(level, c.h - level, mix(day.on(rgb("2f6a8a")), day.sky[0], 0.3), 0.4)
    for _ in range(14):
        y = c.between(level + 0.01, c.h)
        x, wide = c.between(0, c.w), c.between(0.05, 0.25)
        c.soft(x, y, wide, 0.004, colour=day.sky[-1], alpha=0.45)


def forest(c: Canvas) -> None:
    """Among tall trunks, or over rows of conifers, in mist and slanting light."""
    if c.chance(0.6):
        _woods(c)
    else:
        _conifers(c)


LEAVES = (
    ("dff0b0 5f9a4a 1f4a2c", "3a2c26"),
    ("f6e6a8 d98a2f 7a3a1f", "3b2a25"),
    ("d6ecd8 4a8f7a 123f3c", "26302f"),
    ("f4efc0 93ad3c 3a5a20", "42342a"),
    ("cfdbe6 6a86a0 233a55", "22283a"),
    ("fbe0c8 c8603f 5a2326", "2e2028"),
)


def _woods(c: Canvas) -> None:
    """Trunks in mist, nearer ones darker, under a canopy of leaves."""
    leaves, bark_code = pick(c.rng, LEAVES)
    glow, leaf, deep = palette(leaves)
    bark = rgb(bark_code)
    c.backdrop([(0, mix(leaf, glow, 0.35)), (0.45, glow), (1, mix(leaf, glow, 0.2))])
    where = c.between(0.2, 0.8) * c.w
    c.soft(where, c.h * 0.35, 0.5, colour=lighter(glow, 0.6), alpha=0.8)
    floor = c.h * c.between(0.72, 0.84)
    for depth in np.linspace(0.15, 1, 5).tolist():
        ground = floor + (depth - 0.6) * 0.22
        for _ in range(int(9 - 5 * depth)):
            x, wide = c.between(-0.05, c.w + 0.05), c.between(0.012, 0.03) * (0.5 + 2.2 * depth * depth)
            _trunk(c, x, ground + 0.05, wide, mix(glow, bark, 0.2 + 0.8 * depth), glow, branched=depth > 0.5)
        cover = 0.7 * fractal(c.rng, 64, 32, cells=(8, 4), gain=0.75)
        crown = smooth(0.62, 0.8, cover + 0.55 * np.linspace(1.0, 0.0, 32)[:, None] ** 0.7)
        shade = mix(mix(glow, leaf, 0.4 + 0.5 * depth), deep, depth * c.between(0.2, 0.6))
        c.veil(crown * (0.35 + 0.5 * depth), shade, 0, c.h * 0.62)
        soil = linear(mix(glow, leaf, 0.25 + 0.7 * depth), mix(leaf, deep, depth))
        c.shape(ridge(c, ground, 0.015, cells=5), soil)
    texture(c, floor, c.h, deep, 0.6, cells=(12, 12))
    texture(c, floor, c.h, lighter(leaf, 0.35), 0.45, cells=(24, 24))
    if c.chance(0.65):
        _beams(c, where, lighter(glow, 0.6))


def _beams(c: Canvas, where: float, colour: Colour) -> None:
    """Slanting light that falls through the canopy."""
    lean = c.between(-0.5, 0.5)
    for _ in range(5):
        x, wide = where + c.between(-0.3, 0.3), c.between(0.015, 0.05)
        foot = x + lean
        beam = [(x, -0.02), (x + wide, -0.02), (foot + wide * 2, c.h * 0.95), (foot - wide, c.h * 0.95)]
        c.shape(beam, colour, alpha=c.between(0.12, 0.3), blur=0.012)


def _trunk(
    c: Canvas, x: float, foot: float, wide: float, colour: Colour, glow: Colour, *, branched: bool
) -> None:
    """One trunk from the ground out of the picture, with a few branches."""
    lean = c.between(-0.04, 0.04)
    left = [(-0.8, -0.03, 0.0), (-1.0, foot * 0.5, lean), (-1.25, foot - 0.03, 0.0), (-1.9, foot + 0.02, 0.0)]
    right = [(-share, y, bend) for share, y, bend in reversed(left)]
    outline = spline([(x + bend + wide * share, y) for share, y, bend in left + right], steps=4)
    c.shape(outline, linear(mix(colour, glow, 0.22), darker(colour, 0.25), 0.0))
    for _ in range(2 if branched else 0):
        y, reach = c.between(0.1, 0.45) * c.h, c.between(0.06, 0.18) * pick(c.rng, (-1, 1))
        branch = [(lean * 0.7, 0.0), (reach * 0.6, -0.03), (reach, -abs(reach) * 0.7)]
        c.stroke(place(spline(branch, closed=False), x, y), colour, wide * 0.4)


def _conifers(c: Canvas) -> None:
    """Rows of conifers fading into fog."""
    day = light(c, "soft golden dawn grey dusk lagoon clear")
    horizon = c.h * c.between(0.2, 0.42)
    sky(c, day, c.h)
    green = rgb(pick(c.rng, ("2f6a48", "1f5a50", "4a6f35", "2a5560", "a0702a")))
    rows = 5
    for k in range(rows):
        share = k / (rows - 1)
        y = horizon + (c.h * 1.08 - horizon) * share
        height = 0.09 + 0.24 * share
        colour = day.on(darker(green, 0.35 * share), 0.72 * (1 - share) ** 1.3)
        slope = ridge(c, y - 0.02, 0.03, cells=3)
        c.shape(slope, colour)
        count = int(22 - 13 * share)
        for x in np.linspace(-0.03, c.w + 0.03, count) + c.rng.uniform(-0.02, 0.02, count):
            foot = float(np.interp(x, slope[:96, 0], slope[:96, 1])) + height * 0.14
            pine(c, float(x), foot, height * c.between(0.7, 1.25), colour)
        if share < 1:
            gap = (c.h * 1.08 - horizon) / (rows - 1)
            c.veil(np.linspace(0, 0.55, 24)[:, None].repeat(4, axis=1), day.haze, y - 0.1, y + gap + 0.05)
