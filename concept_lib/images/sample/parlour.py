"""In the parlour: candle, clock."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import bokeh
from concept_lib.images.sample.paint import (
    Colour,
    arc,
    box,
    darker,
    ellipse,
    fractal,
    hsv,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    radial,
    rgb,
    rounded,
    smooth,
    spline,
    steps,
)
from concept_lib.images.sample.table import shadow, table

METALS = ("c8a04a", "d8503f", "2f3a48", "8a5a3a", "3f8a90", "e8b8b8", "a8b0b8", "f0ece0", "5a9a60", "f0a830")


def candle(c: Canvas) -> None:
    """Burning candles in the dark."""
    top, low = palette(
        pick(c.rng, ("1a1020 4a2418", "0e1424 2a2a3a", "201010 5a2a1a", "101a18 2a3a2c", "1c1230 3f2440"))
    )
    edge = c.h * c.between(0.7, 0.84)
    c.backdrop([(0, top), (1, low)])
    if c.chance(0.7):
        bokeh(c, palette("ffb85a ff8a4a ffd890 c86a4a"), int(c.rng.integers(5, 16)), 0.02, 0.07)
    c.backdrop([(0, lighter(mix(low, rgb("7a4a28"), 0.6), 0.05)), (1, darker(low, 0.5))], edge)
    grain = fractal(c.rng, 48, 64, cells=(2, 16), gain=0.7)
    c.veil(smooth(0.45, 0.8, grain) * 0.4, darker(low, 0.6), edge, c.h)
    count = pick(c.rng, (1, 1, 2, 3, 4))
    order = c.rng.permutation(count)
    for k in order:
        x = c.w * ((k + 0.5) / count * 0.8 + 0.1 + c.between(-0.04, 0.04))
        foot = edge + (c.h - edge) * c.between(0.2, 0.6)
        wide = c.side * (c.between(0.06, 0.13) if count == 1 else c.between(0.04, 0.075))
        tall = c.h * c.between(0.25, 0.48)
        _candle(c, x, foot, wide, tall)


def _candle(c: Canvas, x: float, foot: float, wide: float, tall: float) -> None:
    """One candle with drips, and sometimes a holder."""
    wax = rgb(pick(c.rng, ("f6ead0", "f6ead0", "c8403a", "e8c890", "d8a0a0", "a8b8c0", "6a7a50")))
    size = min(0.16, wide * 1.5) * c.between(0.85, 1.15)
    top = foot - tall
    c.soft(x, top - size * 0.55, 0.62, colour=rgb("ff9a40"), alpha=0.5, light=True)
    c.soft(x, foot, wide * 4, wide * 0.9, colour=rgb("ffb060"), alpha=0.4, light=True)
    if c.chance(0.5):
        brass = rgb(pick(c.rng, ("b8863a", "8a8f98", "6a4a3a")))
        c.shape(
            ellipse(x, foot, wide * 2.1, wide * 0.5), linear(lighter(brass, 0.3), darker(brass, 0.6), 0.4)
        )
        c.shape(
            ellipse(x, foot - wide * 0.08, wide * 1.7, wide * 0.36),
            linear(darker(brass, 0.4), lighter(brass, 0.1)),
        )
    else:
        c.soft(x, foot + wide * 0.1, wide * 1.8, wide * 0.5, colour=rgb("0a0508"), alpha=0.8)
    body = np.concatenate([arc(x, foot, wide, wide * 0.25, 0, math.pi), [(x - wide, top), (x + wide, top)]])
    round_light = ((0, darker(wax, 0.55)), (0.35, wax), (0.55, lighter(wax, 0.2)), (1, darker(wax, 0.6)))
    c.shape(body, steps(*round_light, angle=0.0))
    glowing = box(x - wide, top, x + wide, top + tall * 0.45)
    c.shape(glowing, linear(rgb("ffc070"), wax), alpha=0.35, blur=wide * 0.1)
    for _ in range(int(c.rng.integers(2, 5))):
        at, reach, r = (
            x + c.between(-0.8, 0.8) * wide,
            c.between(0.1, 0.5) * tall,
            wide * c.between(0.1, 0.18),
        )
        drip = rounded(at - r, top - r * 0.5, at + r, top + reach, r * 0.98)
        c.shape(drip, linear(lighter(wax, 0.35), darker(wax, 0.15)))
    c.shape(ellipse(x, top, wide, wide * 0.26), linear(lighter(wax, 0.3), rgb("ffd890")))
    c.shape(ellipse(x, top + wide * 0.03, wide * 0.7, wide * 0.15), rgb("ffe6a8"))
    c.stroke([(x, top + wide * 0.02), (x, top - size * 0.22)], rgb("2a1a14"), max(0.006, wide * 0.09))
    _flame(c, x, top, size)


def _flame(c: Canvas, x: float, y: float, size: float) -> None:
    """Flame in three layers, in a glow."""
    lean = c.between(-0.12, 0.12)
    c.soft(x, y - size * 0.55, size * 1.5, size * 1.9, colour=rgb("ffb44a"), alpha=0.9, light=True)
    drop = [(lean, -1.2), (0.26, -0.45), (0.3, -0.05), (0.0, 0.16), (-0.3, -0.05), (-0.26, -0.45)]
    for scale, colour, shift in ((1.0, "ff9a2e", 0.0), (0.78, "ffd25a", 0.025), (0.48, "fff8dc", 0.06)):
        outline = place(spline(drop, steps=6), x, y - size * (0.12 + shift), size * scale)
        c.shape(outline, rgb(colour), alpha=0.95, blur=size * 0.03)
    c.soft(x, y - size * 0.1, size * 0.2, colour=rgb("5a8aff"), alpha=0.5)


def clock(c: Canvas) -> None:
    """Clock on a wall, or an alarm clock on a table."""
    alarm = c.chance(0.45)
    r = c.side * (c.between(0.22, 0.32) if alarm else c.between(0.26, 0.42))
    x, y = c.w * c.between(0.42, 0.58), c.h * c.between(0.44, 0.54)
    metal = rgb(pick(c.rng, METALS))
    if alarm:
        _, wood = table(c, min(c.h * 0.8, y + r * 0.8))
        shadow(c, x, y + r * 1.16, r * 0.9, wood)
        _bells(c, x, y, r, metal)
    else:
        _wall(c)
        c.soft(x + r * 0.16, y + r * 0.24, r * 1.45, colour=rgb("1e1826"), alpha=0.65)
    c.shape(ellipse(x, y, r, n=80), linear(lighter(metal, 0.4), darker(metal, 0.5), 0.8))
    c.shape(ellipse(x, y, r * 0.9, n=80), linear(darker(metal, 0.45), lighter(metal, 0.25), 0.8))
    face = rgb(pick(c.rng, ("fbf6e8", "fdfdfa", "f4ead0", "f8f4ec", "2a3040", "e6eef0")))
    _dial(c, x, y, r * 0.85, face)


def _bells(c: Canvas, x: float, y: float, r: float, metal: Colour) -> None:
    """Feet, bells and handle of an alarm clock."""
    for side in (-1, 1):
        c.stroke(place([(side * 0.55, 0.8), (side * 0.74, 1.17)], x, y, r), darker(metal, 0.45), r * 0.14)
        c.stroke(place([(side * 0.35, -0.9), (side * 0.5, -1.1)], x, y, r), darker(metal, 0.5), r * 0.09)
        bell = np.concatenate([arc(0, 0, 0.36, 0.34, math.pi, 2 * math.pi), [[0.36, 0.05], [-0.36, 0.05]]])
        outline = place(bell, x + side * r * 0.55, y - r * 1.02, r, side * 0.6)
        c.shape(outline, linear(lighter(metal, 0.35), darker(metal, 0.35), 0.6))
    c.stroke(place(arc(0, -1.18, 0.22, 0.22, math.pi, 2 * math.pi), x, y, r), darker(metal, 0.4), r * 0.07)


def _dial(c: Canvas, x: float, y: float, r: float, face: Colour) -> None:
    """Face, hands at a random time, glass."""
    ink = rgb("f4ead2") if sum(face) < 380 else rgb("2a2632")
    c.shape(ellipse(x, y, r, n=80), radial(lighter(face, 0.3), darker(face, 0.14), (0.4, 0.35)))
    accent = hsv(c.between(0, 1), 0.65, 0.8)
    _marks(c, x, y, r, ink, mix(face, ink, 0.6), accent)
    time = c.between(0, 12)
    for shift, alpha, colour in ((0.03, 0.35, rgb("3a3038")), (0.0, 1.0, ink)):
        for share, reach, wide in ((time / 12, 0.5, 0.075), (time % 1, 0.74, 0.05)):
            hand = [
                (-0.14, -wide * 0.6),
                (reach * 0.7, -wide),
                (reach, 0),
                (reach * 0.7, wide),
                (-0.14, wide * 0.6),
            ]
            turn = share * 2 * math.pi - math.pi / 2
            c.shape(place(hand, x + r * shift, y + r * shift * 1.5, r, turn), colour, alpha=alpha)
    second = mix(accent, rgb("e03a30"), 0.6)
    c.stroke(place([(-0.2, 0), (0.82, 0)], x, y, r, c.between(0, 6.28)), second, r * 0.022)
    c.shape(ellipse(x, y, r * 0.065, n=24), second)
    outer = arc(x, y, r * 0.96, r * 0.96, math.pi * 1.05, math.pi * 1.5)
    inner = arc(x, y, r * 0.8, r * 0.86, math.pi * 1.5, math.pi * 1.05)
    c.shape(np.concatenate([outer, inner]), rgb("ffffff"), alpha=0.25, blur=r * 0.02)


def _marks(c: Canvas, x: float, y: float, r: float, ink: Colour, faint: Colour, accent: Colour) -> None:
    """Hours as bars or dots, minutes as ticks; no figures, so that no font is needed."""
    style = int(c.rng.integers(3))
    if style == 2:
        c.stroke(ellipse(x, y, r * 0.62, n=60), accent, r * 0.02, alpha=0.7)
    for k in range(60):
        turn, quarter = k * math.pi / 30, k % 15 == 0
        if style == 1 and k % 5 == 0:
            spot = place([(0.84, 0)], x, y, r, turn)[0]
            c.dot(spot[0], spot[1], r * (0.065 if quarter else 0.042), accent if quarter else ink)
        elif k % 5 == 0:
            bar = place([(0.74 if quarter else 0.8, 0), (0.92, 0)], x, y, r, turn)
            c.stroke(bar, ink, r * (0.06 if quarter else 0.04))
        elif style != 1:
            c.stroke(place([(0.88, 0), (0.92, 0)], x, y, r, turn), faint, r * 0.014)


def _wall(c: Canvas) -> None:
    """Painted wall, papered with stripes or dots, or of brick."""
    wall = rgb(
        pick(
            c.rng, ("a8c0b8", "d8a890", "e8d8b8", "8a9ab0", "c8b0c0", "6a8080", "d0c080", "b86a58", "f0e0d8")
        )
    )
    c.backdrop([(0, lighter(wall, 0.15)), (1, darker(wall, 0.2))])
    kind = int(c.rng.integers(4))
    if kind == 0:
        for x in np.arange(c.between(-0.1, 0), c.w, 0.12):
            c.shape(box(x, 0, x + 0.06, c.h), lighter(wall, 0.2), alpha=0.5)
    elif kind == 1:
        grid = np.stack(np.meshgrid(np.arange(0.03, c.w, 0.09), np.arange(0.03, c.h, 0.09)), axis=-1).reshape(
            -1, 2
        )
        c.dots(grid, np.full(len(grid), 0.012), [lighter(wall, 0.25), darker(wall, 0.12)])
    elif kind == 2:
        for row, y in enumerate(np.arange(0, c.h, 0.07)):
            for x in np.arange(-0.14 + 0.07 * (row % 2), c.w, 0.14):
                c.shape(box(x, y, x + 0.133, y + 0.063), mix(wall, hsv(0.05, 0.4, c.between(0.4, 0.9)), 0.22))
    c.soft(c.between(0, c.w), c.between(0, 0.3), 0.7, colour=rgb("fff4d8"), alpha=0.5)
