"""On the table: apple, cup."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.garden import leaf
from concept_lib.images.sample.nature import bokeh
from concept_lib.images.sample.paint import (
    Colour,
    Outline,
    Points,
    arc,
    box,
    darker,
    ellipse,
    fractal,
    hsv,
    lighter,
    linear,
    mirrored,
    mix,
    palette,
    pick,
    place,
    radial,
    rgb,
    smooth,
    spline,
    steps,
)

ROOMS = (
    "e8d8b8 b07a48",
    "a8d0d8 9a6a40",
    "f4cfc0 c88a60",
    "7fb8a0 7a4a34",
    "f6ecd8 e0b880",
    "4f6f9a 5a3a30",
    "f4cc78 a8623a",
    "d0b8e4 8a6a9a",
    "d8705a 5a2f28",
    "3f8088 c89058",
    "f0a8a0 f4e4d4",
    "c0d8a0 8a6238",
)


def table(c: Canvas, edge: float) -> tuple[Colour, Colour]:
    """Wall, light from a window, and a table from `edge` down; returns the two colours."""
    wall, wood = palette(pick(c.rng, ROOMS))
    c.backdrop([(0, darker(wall, 0.12)), (1, lighter(wall, 0.15))], 0, edge)
    kind = int(c.rng.integers(4))
    if kind == 0:
        for x in np.arange(c.between(0, 0.08), c.w, 0.11):
            c.shape(box(x, 0, x + 0.05, edge), lighter(wall, 0.22), alpha=0.5)
    elif kind == 1:
        lean = c.between(0.1, 0.4)
        for x in (c.between(0, 0.4), c.between(0.4, 0.8)):
            pane = np.array([(x, 0), (x + 0.22, 0), (x + 0.22 + lean, edge), (x + lean, edge)])
            c.shape(pane, rgb("fff3d0"), alpha=0.4, blur=0.02)
    elif kind == 2:
        bokeh(c, [lighter(wall, 0.6), darker(wall, 0.2)], 12, 0.05, 0.16)
    else:
        c.soft(c.between(0, c.w), 0.0, 0.8, 0.7, colour=lighter(wall, 0.7), alpha=0.7)
    c.backdrop([(0, lighter(wood, 0.12)), (1, darker(wood, 0.25))], edge)
    grain = fractal(c.rng, 64, 96, cells=(2, 24), gain=0.7)
    c.veil(smooth(0.45, 0.8, grain) * 0.45, darker(wood, 0.35), edge, c.h)
    c.shape(box(-0.01, edge - 0.004, c.w + 0.01, edge + 0.006), lighter(wood, 0.35), alpha=0.6)
    return wall, wood


def shadow(c: Canvas, x: float, y: float, wide: float, wood: Colour) -> None:
    """Contact shadow of a thing on the table."""
    c.soft(x + wide * 0.18, y, wide * 1.45, wide * 0.34, colour=darker(wood, 0.75), alpha=0.65)
    c.soft(x, y, wide * 0.95, wide * 0.16, colour=darker(wood, 0.85), alpha=0.8)


def apple(c: Canvas) -> None:
    """Apples on a table."""
    edge = c.h * c.between(0.48, 0.66)
    _, wood = table(c, edge)
    count = pick(c.rng, (1, 1, 1, 2, 3))
    kinds = (
        "d8302c f4b43a",
        "cc2430 f09048",
        "c21f2f e86a4a",
        "8fb83a d8e07a",
        "e0b030 f4e08a",
        "b82a3a f0d06a",
        "a8c850 e8604a",
    )
    size = c.side * (c.between(0.24, 0.34) if count == 1 else c.between(0.16, 0.22))
    for k in range(count):
        x = c.w * ((k + 0.5) / count + c.between(-0.05, 0.05))
        y = edge + (c.h - edge) * c.between(0.25, 0.6) - size * 0.55
        skin, blush = palette(pick(c.rng, kinds))
        shadow(c, x, y + size * 0.92, size, wood)
        _apple(c, x, y, size * c.between(0.92, 1.08), skin, blush)


def _apple(c: Canvas, x: float, y: float, r: float, skin: Colour, blush: Colour) -> None:
    """One apple."""
    tilt = c.between(-0.2, 0.2)
    half = [(0.0, -0.74), (0.26, -0.92), (0.66, -0.88), (0.98, -0.5), (1.0, 0.02), (0.8, 0.56), (0.46, 0.92)]
    body = mirrored(spline([*half, (0.2, 0.95), (0.0, 0.88)], closed=False, steps=6))

    def put(points: Outline) -> Points:
        return place(points, x, y, r, tilt)

    lit = lighter(mix(skin, blush, 0.3), 0.18)
    c.shape(put(body), radial(lit, darker(skin, 0.48), (0.34, 0.32), 0.92))
    for _ in range(16):
        a = c.between(-0.8, 0.8)
        streak = spline([(a * 0.3, -0.72), (a * 0.85, -0.3), (a, c.between(0.1, 0.5))], closed=False, steps=6)
        c.stroke(put(streak), mix(skin, blush, c.between(0.3, 0.9)), r * c.between(0.01, 0.05), alpha=0.28)
    c.shape(put(ellipse(0, -0.74, 0.3, 0.1)), darker(skin, 0.55), alpha=0.7, blur=r * 0.03)
    branch = put(spline([(0, -0.72), (0.04, -0.95), (0.14, -1.16)], closed=False, steps=6))
    c.stroke(branch, rgb("4f3524"), r * 0.075)
    if c.chance(0.7):
        leaf(c, branch[6], r * c.between(0.55, 0.75), c.between(-0.7, 0.1) + tilt, rgb("5f9a45"))
    c.soft(x - r * 0.38, y - r * 0.4, r * 0.36, r * 0.3, colour=rgb("ffffff"), alpha=0.75)
    c.shape(
        ellipse(x - 0.44 * r, y - 0.46 * r, 0.09 * r, 0.13 * r, n=24),
        rgb("ffffff"),
        alpha=0.85,
        blur=r * 0.02,
    )
    rim = [(0.75, 0.1), (0.62, 0.5), (0.4, 0.76), (0.55, 0.62), (0.7, 0.38)]
    c.shape(put(spline(rim, steps=5)), lighter(blush, 0.4), alpha=0.35, blur=r * 0.03)


GLAZES = (
    "f7f2e8",
    "d8503f",
    "3f7f9a",
    "f0b840",
    "5f9a80",
    "2f3a50",
    "e8a0a8",
    "b8d0d8",
    "c87850",
    "8a6ab8",
    "f7f2e8",
)


def cup(c: Canvas) -> None:
    """Cup of something hot."""
    edge = c.h * c.between(0.42, 0.62)
    wall, wood = table(c, edge)
    r = c.side * c.between(0.19, 0.28)
    x, low = c.w * c.between(0.38, 0.58), edge + (c.h - edge) * c.between(0.35, 0.7)
    tall, slant, taper = r * c.between(1.35, 1.9), c.between(0.22, 0.36), c.between(0.55, 0.95)
    glaze = rgb(pick(c.rng, GLAZES))
    top = low - tall
    shadow(c, x, low, r * 1.25, wood)
    if c.chance(0.55):
        for k, colour in enumerate((darker(glaze, 0.3), lighter(glaze, 0.1), darker(glaze, 0.12))):
            wide, deep = r * (1.2 if k == 2 else 1.55), r * slant * (1.0 if k == 2 else 1.3)
            rim = ellipse(x, low - k * 0.006, wide, deep)
            c.shape(rim, linear(lighter(colour, 0.15), darker(colour, 0.15), 0.3))
    _handle(c, x, low - tall * 0.52, r, tall, glaze)
    foot = arc(x, low - r * 0.04, r * taper, r * slant * taper * 0.8, 0, math.pi)
    bulge = [(x - r * taper * 0.995, low - tall * 0.2), (x - r * (0.45 + 0.55 * taper), low - tall * 0.45)]
    left = spline([foot[-1], *(bulge if taper < 0.8 else []), (x - r, top)], closed=False, steps=6)
    right = place(left * (-1, 1), 2 * x, 0)[::-1]
    shading = ((0, darker(glaze, 0.2)), (0.28, lighter(glaze, 0.3)), (0.6, glaze), (1, darker(glaze, 0.45)))
    c.shape(np.concatenate([foot, left, right]), steps(*shading, angle=0.0))
    _pattern(c, x, low, r, slant, glaze, left)
    _drink(c, x, top, r, slant, glaze)
    if c.chance(0.75):
        _steam(c, x, top, r, lighter(wall, 0.8))


def _handle(c: Canvas, x: float, y: float, r: float, tall: float, glaze: Colour) -> None:
    """Ear on the left or the right."""
    side = pick(c.rng, (-1, 1))
    ring = arc(0, 0, r * 0.48, tall * 0.3, -math.pi / 2 - 0.2, math.pi / 2 + 0.3) * (side, 1)
    at = x + side * r * 0.95
    c.stroke(place(ring, at, y), darker(glaze, 0.32), r * 0.22)
    c.stroke(place(ring, at - 0.004, y - 0.006), lighter(glaze, 0.1), r * 0.12)


def _drink(c: Canvas, x: float, top: float, r: float, slant: float, glaze: Colour) -> None:
    """Rim, inside, and what is in the cup."""
    c.shape(ellipse(x, top, r, r * slant), lighter(glaze, 0.35))
    inside = ellipse(x, top + r * 0.01, r * 0.93, r * slant * 0.88)
    c.shape(inside, linear(darker(glaze, 0.4), darker(glaze, 0.1)))
    drink = rgb(pick(c.rng, ("4a2c1c", "6f452a", "b87a3a", "8a9a4a", "c89a68", "a8442a")))
    surface = ellipse(x, top + r * slant * 0.22, r * 0.84, r * slant * 0.66)
    c.shape(surface, linear(darker(drink, 0.35), lighter(drink, 0.22)))
    if c.chance(0.4):
        foam = ellipse(x - r * 0.1, top + r * slant * 0.26, r * 0.45, r * slant * 0.3)
        c.shape(foam, lighter(drink, 0.6), alpha=0.8, blur=r * 0.05)


def _steam(c: Canvas, x: float, top: float, r: float, colour: Colour) -> None:
    """Three wisps."""
    for _ in range(3):
        at, way = x + c.between(-0.5, 0.5) * r, c.between(0.03, 0.06)
        line = [(0, 0), (way, -0.1), (-way, -0.2), (way * 0.6, -0.34)]
        wisp = place(spline(line, closed=False, steps=10), at, top)
        wide = np.linspace(0.004, 0.022, len(wisp))[:, None] * (1, 0)
        c.shape(np.concatenate([wisp - wide, (wisp + wide)[::-1]]), colour, alpha=0.35, blur=0.012)


def _pattern(c: Canvas, x: float, low: float, r: float, slant: float, glaze: Colour, left: Points) -> None:
    """Bands or dots around a cup whose left side is given."""
    side = left[::-1]
    top = float(side[0, 1])
    ink = mix(hsv(c.between(0, 1), 0.6, 0.8), glaze, 0.15)
    kind = int(c.rng.integers(3))
    if kind == 0:
        for share in (0.3, 0.5, 0.62)[: int(c.rng.integers(1, 4))]:
            ends = [top + (low - top) * share, top + (low - top) * share + r * 0.1]
            arcs = [
                arc(x, y, half, half * slant, 0.0, math.pi)
                for y in ends
                for half in [x - np.interp(y, side[:, 1], side[:, 0])]
            ]
            band = np.concatenate([arcs[0], arcs[1][::-1]])
            c.shape(
                band,
                steps((0, darker(ink, 0.2)), (0.3, lighter(ink, 0.15)), (1, darker(ink, 0.4)), angle=0.0),
                alpha=0.9,
            )
    elif kind == 1:
        for row in range(3):
            for k in range(5):
                turn = math.pi * (k + 0.5 + 0.5 * (row % 2)) / 5.5
                share = 0.3 + 0.2 * row
                wide = x - float(np.interp(top + (low - top) * share, side[:, 1], side[:, 0]))
                px, py = (
                    x - wide * math.cos(turn) * 0.95,
                    top + (low - top) * share + wide * slant * math.sin(turn),
                )
                c.shape(ellipse(px, py, r * 0.075 * math.sin(turn) + 0.002, r * 0.075, n=24), ink, alpha=0.9)
