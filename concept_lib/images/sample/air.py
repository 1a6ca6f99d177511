"""In the air: rainbow, balloon."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import clouds, hills, light, meadow, puffs, ridge, sea, sky, sun, tree
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    rgb,
    smooth,
)

BOWS = palette("e8434a f58a3c f7d648 5fc46a 3f9fe0 5a5fd0 9a55c0")


def rainbow(c: Canvas) -> None:
    """Rainbow over land or sea, after rain."""
    day = light(c, "storm storm grey soft clear dawn lagoon golden")
    horizon = c.h * c.between(0.6, 0.8)
    sky(c, day, horizon)
    clouds(c, day, horizon, c.between(0.4, 0.85))
    x, y = c.w * c.between(0.1, 0.9), horizon + c.between(0.0, 0.25)
    radius = c.between(0.45, 0.72) * max(c.w, 0.85)
    width = c.between(0.09, 0.15)
    _bow(c, x, y, radius, width, c.between(0.65, 0.95), c.chance(0.4))
    kind = int(c.rng.integers(3))
    green = rgb(pick(c.rng, ("6aa84a", "8ab04a", "4f9a5a", "b0a848", "7a9f3a")))
    if kind == 0:
        sea(c, day, horizon, rgb("2f6a90"), rgb("5fb0b8"))
    else:
        hills(c, day, green, horizon, c.between(0.86, 0.95) * c.h, 4)
        meadow(c, horizon + 0.03, day.on(green))
        for _ in range(int(c.rng.integers(0, 5))):
            share = c.between(0, 1)
            foot = horizon + 0.03 + (c.h * 0.95 - horizon) * share
            tree(c, c.between(0, c.w), foot, 0.07 + 0.16 * share, day.on(darker(green, 0.25)))
    if c.chance(0.5):
        puffs(c, day, horizon, 2)


def _bow(c: Canvas, x: float, y: float, radius: float, width: float, alpha: float, double: bool) -> None:
    """Bands of colour with soft borders, brighter sky within; a second, paler bow in reverse order."""
    across, down = np.meshgrid(np.linspace(0, c.w, 144), np.linspace(0, c.h, 144))
    inward = (radius - np.hypot(across - x, down - y)) / width
    at = np.linspace(0.04, 0.96, len(BOWS))
    order = np.where(inward < 0, (-inward - 1.0) / 0.8, inward) if double else inward
    tones = np.stack(
        [np.interp(order, at, [lighter(band, 0.12)[k] for band in BOWS]) for k in range(3)], axis=-1
    )
    cover = smooth(0.0, 0.12, inward) * smooth(1.0, 0.85, inward) * alpha
    if double:
        cover += smooth(0.0, 0.15, order) * smooth(1.0, 0.8, order) * (inward < 0) * alpha * 0.4
    c.veil(smooth(0.9, 1.1, inward) * 0.22, rgb("ffffff"))
    c.veil(cover, tones)


FABRICS = (
    "e2453c f7e9c8",
    "f2a52f d8432f",
    "3f7fd0 f7f0dc",
    "8a4fb0 f5c84a",
    "2f9a84 f6e8b8",
    "e85a8a fbe3d0",
    "e2453c f2a52f f5dc4a 4fae5a 3f7fd0 8a4fb0",
    "24406f e8503f f6e6c0",
    "f57f3a 2f8fa0 f8ecd0",
    "d83a6a f5b03a 3aa0b8",
    "f4f0e4 3a4a9a f4f0e4 e8a030",
)


def balloon(c: Canvas) -> None:
    """Hot-air balloons over wide land."""
    day = light(c, "clear soft golden sunset dawn lagoon dusk")
    horizon = c.h * c.between(0.76, 0.92)
    sky(c, day, horizon)
    if c.chance(0.35):
        sun(c, day, c.between(0.1, 0.9) * c.w, horizon * c.between(0.5, 0.95), 0.03)
    if c.chance(0.5):
        clouds(c, day, horizon, c.between(0.2, 0.6))
    else:
        puffs(c, day, horizon, int(c.rng.integers(2, 5)))
    ground = rgb(pick(c.rng, ("6a9a50", "8aa050", "c89a58", "5a8a80", "a8704a")))
    c.shape(ridge(c, horizon - 0.03, 0.05, cells=4, gain=0.5), day.on(ground, 0.65))
    hills(c, day, ground, horizon, c.h * 0.97, 3)
    for _ in range(int(c.rng.integers(0, 5))):
        _envelope(
            c,
            c.between(0.05, 0.95) * c.w,
            c.between(0.1, 0.6) * c.h,
            c.side * c.between(0.08, 0.18),
            day.haze,
            0.3,
        )
    _envelope(
        c,
        c.w * c.between(0.35, 0.65),
        c.h * c.between(0.3, 0.42),
        c.side * c.between(0.42, 0.62),
        day.haze,
        0.0,
    )


def _envelope(c: Canvas, x: float, y: float, size: float, haze: Colour, distance: float) -> None:
    """One balloon, `size` wide, in the haze of its distance."""
    colours = [mix(colour, haze, distance) for colour in palette(pick(c.rng, FABRICS))]
    down = np.linspace(0, 1, 22)
    upper = np.sin(np.arccos(np.clip(1 - down / 0.55, -1, 1)))
    half = size * 0.5 * np.where(down < 0.55, upper, 1 - 0.74 * np.clip((down - 0.55) / 0.45, 0, 1) ** 1.6)
    level = y + size * (down * 1.12 - 0.55)
    _gores(c, x, half, level, colours, near=distance == 0)
    if c.chance(0.4):
        rows = slice(9, 12)
        belt = np.stack([half[rows], level[rows]], axis=1)
        outline = place(np.concatenate([belt * (-1, 1), belt[::-1]]), x, 0)
        c.shape(outline, linear(lighter(colours[-1], 0.2), darker(colours[-1], 0.4), 0.0))
    mouth, hang = float(level[-1]), float(level[-1]) + size * 0.2
    rope = mix(rgb("4a3a30"), haze, distance)
    for side in (-1, -0.4, 0.4, 1):
        c.stroke([(x + side * size * 0.13, mouth), (x + side * size * 0.075, hang)], rope, size * 0.008)
    if distance == 0:
        c.soft(x, mouth + size * 0.03, size * 0.1, colour=rgb("ffd070"), alpha=0.9, light=True)
    wood = mix(rgb("8a5a34"), haze, distance)
    basket = place([(-0.085, 0), (0.085, 0), (0.07, 0.13), (-0.07, 0.13)], x, hang, size)
    c.shape(basket, linear(lighter(wood, 0.2), darker(wood, 0.4), 0.3))
    c.stroke(basket[:2], darker(wood, 0.4), size * 0.02)


def _gores(c: Canvas, x: float, half: Points, level: Points, colours: list[Colour], *, near: bool) -> None:
    """Strips of cloth between the meridians of an envelope, lit from the left."""
    gores = int(c.rng.integers(8, 15))
    meridians = np.sin(
        np.clip((np.arange(gores + 1) + c.between(-0.5, 0.5)) / gores - 0.5, -0.5, 0.5) * math.pi
    )
    meridians[0], meridians[-1] = -1, 1
    for k, (left, right) in enumerate(pairwise(meridians)):
        rim = np.stack([x + right * half, level], axis=1)[::-1]
        strip = np.concatenate([np.stack([x + left * half, level], axis=1), rim])
        base, turn = colours[k % len(colours)], (left + right) / 2
        lit = lighter(base, 0.25 * max(0, 1 - abs(turn + 0.4) * 2))
        shade = lit if turn < 0.1 else darker(base, 0.4 * turn)
        c.shape(strip, linear(lighter(shade, 0.1), darker(shade, 0.25)) if near else shade)
