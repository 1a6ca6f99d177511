"""House in a garden."""

from __future__ import annotations

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import Light, clouds, light, meadow, pine, puffs, ridge, sky, tree
from concept_lib.images.sample.paint import (
    Colour,
    box,
    darker,
    ellipse,
    hsv,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    rgb,
)

PAINTS = (
    "f4ead2 b8452f fdfaf0",
    "d8e6ea 4a5a70 ffffff",
    "e8b86a 7a4030 fdf4e0",
    "c8503f 4a3a3a f8efe0",
    "f6d6cc 8a4a58 ffffff",
    "a8c8a0 6a5040 faf6e8",
    "fbfaf4 3f6f8a e8eef0",
    "8fb4d0 5a4a58 fdfdf6",
    "e0d0b0 5f7f50 fffaf0",
    "f5d070 a8502f ffffff",
)


def house(c: Canvas) -> None:
    """House in a garden."""
    day = light(c, "clear soft golden sunset dawn dusk night grey lagoon")
    ground = c.h * c.between(0.68, 0.8)
    sky(c, day, ground)
    if c.chance(0.5):
        clouds(c, day, ground, c.between(0.2, 0.65))
    else:
        puffs(c, day, ground, 3)
    grass = rgb(pick(c.rng, ("6aa84a", "8ab552", "5a9a5a", "a0a850", "78b060")))
    c.shape(ridge(c, ground - 0.06, 0.04, cells=3), day.on(darker(grass, 0.2), 0.4))
    for _ in range(int(c.rng.integers(1, 5))):
        x = c.between(0, c.w)
        if c.chance(0.4):
            pine(c, x, ground, c.between(0.25, 0.45), day.on(rgb("2f6a4a")))
        else:
            tree(c, x, ground, c.between(0.22, 0.42), day.on(darker(grass, 0.2)))
    c.shape(ridge(c, ground, 0.008), linear(day.on(lighter(grass, 0.1)), day.on(darker(grass, 0.4))))
    meadow(c, ground, day.on(grass))
    wide, tall = c.side * c.between(0.42, 0.62), c.side * c.between(0.2, 0.32)
    _house(c, day, c.w * c.between(0.42, 0.58), ground + c.between(0.03, 0.08), wide, tall)
    _garden(c, day, ground)


def _house(c: Canvas, day: Light, x: float, foot: float, wide: float, tall: float) -> None:
    """Walls, roof, chimney, door and windows."""
    wall, roof, trim = (day.on(colour) for colour in palette(pick(c.rng, PAINTS)))
    dim = sum(day.tone) < 560
    pane = rgb("ffd98a") if dim else day.on(rgb("9fc8e0"))
    eaves = foot - tall
    peak = eaves - wide * c.between(0.3, 0.46)
    c.soft(x + wide * 0.12, foot, wide * 0.75, 0.035, colour=rgb("1a2a20"), alpha=0.7)
    _chimney(c, x + wide * pick(c.rng, (-0.28, 0.2)), peak, eaves, wide, day.on(rgb("9a5a48")))
    c.shape(box(x - wide / 2, eaves, x + wide / 2, foot), linear(lighter(wall, 0.15), darker(wall, 0.2), 0.2))
    if c.chance(0.5):
        _broad_roof(c, x, peak, eaves, wide, roof)
    else:
        _gable(c, x, peak, eaves, wide, wall, roof)
        y = eaves - (eaves - peak) * 0.36
        c.shape(ellipse(x, y, wide * 0.065), trim)
        c.shape(ellipse(x, y, wide * 0.05), pane)
    under = box(x - wide / 2, eaves, x + wide / 2, eaves + tall * 0.09)
    c.shape(under, darker(wall, 0.4), alpha=0.5, blur=0.004)
    _front(c, x, foot, wide, tall, trim, pane, dim)


def _chimney(c: Canvas, x: float, peak: float, eaves: float, wide: float, brick: Colour) -> None:
    """Chimney, smoking in half of the pictures."""
    c.shape(
        box(x, peak + 0.01, x + wide * 0.09, eaves), linear(lighter(brick, 0.1), darker(brick, 0.35), 0.0)
    )
    c.shape(box(x - wide * 0.015, peak - 0.005, x + wide * 0.105, peak + 0.015), darker(brick, 0.3))
    if c.chance(0.55):
        for k in range(6):
            at = x + wide * 0.05 + k * 0.012, peak - 0.02 - k * 0.035
            c.soft(*at, 0.02 + k * 0.008, colour=rgb("f4f4f4"), alpha=0.5)


def _broad_roof(c: Canvas, x: float, peak: float, eaves: float, wide: float, roof: Colour) -> None:
    """Roof seen from its long side, with rows of tiles."""
    low, high = wide * 0.57, wide * c.between(0.3, 0.42)
    tiles = [(x - low, eaves + 0.01), (x - high, peak), (x + high, peak), (x + low, eaves + 0.01)]
    c.shape(tiles, linear(lighter(roof, 0.15), darker(roof, 0.2)))
    for share in (0.2, 0.4, 0.6, 0.8):
        y, half = peak + (eaves + 0.01 - peak) * share, high + (low - high) * share
        c.stroke([(x - half, y), (x + half, y)], darker(roof, 0.3), 0.003)


def _gable(c: Canvas, x: float, peak: float, eaves: float, wide: float, wall: Colour, roof: Colour) -> None:
    """Roof seen from its end: a triangle of wall under two beams."""
    half, over, thick = wide / 2, wide * 0.57, wide * 0.075
    c.shape(
        [(x - half, eaves + 0.002), (x, peak), (x + half, eaves + 0.002)], linear(lighter(wall, 0.1), wall)
    )
    for side in (-1, 1):
        end = x + side * over
        beam = [
            (x, peak - thick),
            (x, peak + thick * 0.3),
            (end, eaves + thick * 0.6),
            (end, eaves - thick * 0.3),
        ]
        c.shape(beam, lighter(roof, 0.08) if side < 0 else darker(roof, 0.2))


def _front(
    c: Canvas, x: float, foot: float, wide: float, tall: float, trim: Colour, pane: Colour, dim: bool
) -> None:
    """Door and windows of a house."""
    door = hsv(c.between(0, 1), 0.6, 0.55)
    at = x + wide * pick(c.rng, (-0.25, 0.0, 0.25))
    half, high = wide * 0.075, tall * 0.66
    c.shape(box(at - half * 1.2, foot - high * 1.06, at + half * 1.2, foot), trim)
    c.shape(box(at - half, foot - high, at + half, foot), linear(lighter(door, 0.15), darker(door, 0.25)))
    c.dot(at + half * 0.6, foot - high * 0.45, wide * 0.012, rgb("f0d070"))
    doorstep = [(-1.6 * half, 0.012), (1.6 * half, 0.012), (1.3 * half, -0.008), (-1.3 * half, -0.008)]
    c.shape(place(doorstep, at, foot), mix(trim, rgb("808080"), 0.3))
    w2, h2, wy = wide * 0.075, tall * 0.2, foot - tall * 0.58
    for share in (-0.33, -0.04, 0.04, 0.33) if wide > 0.5 else (-0.3, 0.0, 0.3):
        wx = x + wide * share
        if abs(wx - at) < wide * 0.17:
            continue
        c.shape(box(wx - w2 * 1.2, wy - h2 * 1.2, wx + w2 * 1.2, wy + h2 * 1.25), trim)
        c.shape(box(wx - w2, wy - h2, wx + w2, wy + h2), linear(lighter(pane, 0.35), darker(pane, 0.25), 0.9))
        c.stroke([(wx, wy - h2), (wx, wy + h2)], trim, 0.006)
        c.stroke([(wx - w2, wy), (wx + w2, wy)], trim, 0.006)
        if dim:
            c.soft(wx, wy, w2 * 3, colour=rgb("ffc868"), alpha=0.5, light=True)


def _garden(c: Canvas, day: Light, ground: float) -> None:
    """Fence, bushes and flowers in front."""
    if c.chance(0.4):
        white = day.on(rgb("f6f2e6"))
        y = min(c.h - 0.03, ground + c.between(0.13, 0.18))
        for x in np.arange(0.01, c.w, 0.045):
            c.shape(
                np.array([(x, y), (x, y - 0.06), (x + 0.01, y - 0.075), (x + 0.02, y - 0.06), (x + 0.02, y)]),
                white,
            )
        for shift in (0.02, 0.045):
            c.shape(box(0, y - shift - 0.008, c.w, y - shift), darker(white, 0.1))
    for _ in range(int(c.rng.integers(8, 40))):
        x, y = c.between(0, c.w), c.between(ground + 0.1, c.h)
        c.dots(
            np.array([[x, y]]),
            np.array([c.between(0.004, 0.01)]),
            [day.on(hsv(pick(c.rng, (0.0, 0.12, 0.8, 0.92)), 0.6, 0.98))],
        )
