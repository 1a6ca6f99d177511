"""Butterfly over a soft garden."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.garden import GARDENS, Petals, petals
from concept_lib.images.sample.nature import blurred_garden, bokeh
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    ellipse,
    hsv,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    radial,
    rgb,
    spline,
    steps,
)

UPPER = spline(
    [(0.02, -0.06), (0.2, -0.36), (0.52, -0.52), (0.7, -0.46), (0.66, -0.2), (0.5, 0.0), (0.2, 0.05)], steps=7
)
LOWER = spline(
    [(0.03, 0.0), (0.3, 0.04), (0.5, 0.16), (0.5, 0.36), (0.36, 0.5), (0.24, 0.44), (0.1, 0.24)], steps=7
)
WINGS = (
    "f28a22 2a1c1e fff3d8",
    "3f8fe0 12204a d8f0ff",
    "f5d040 3a2a1a fffbe0",
    "e8506a 30182a ffe0d0",
    "8a5fd8 241840 f0e0ff",
    "3fb89a 102f38 e8fff0",
    "f7f4ea 3a3a48 f5b850",
    "d8603a 3a1a18 f8d070",
    "58b8e8 183048 fff0a8",
    "f59ac0 40203a fff4f8",
)


def butterfly(c: Canvas) -> None:
    """Butterfly with patterned wings over flowers or a soft garden."""
    base, other = palette(pick(c.rng, GARDENS))
    blurred_garden(c, base, other)
    bokeh(c, [lighter(other, 0.5), hsv(c.between(0, 1), 0.4, 0.95)], 14)
    if c.chance(0.55):
        colour = hsv(pick(c.rng, (0.9, 0.78, 0.0, 0.95, 0.6)), 0.45, 0.95)
        for _ in range(int(c.rng.integers(1, 4))):
            x, y = c.between(0.1, 0.9) * c.w, c.h * c.between(0.78, 0.98)
            c.stroke([(x, y), (x + 0.02, c.h + 0.1)], mix(base, rgb("3f6a3f"), 0.7), 0.014)
            look = Petals(9, 0.24, colour, lighter(colour, 0.4))
            petals(c, x, y, c.between(0.07, 0.13), look, c.between(0, 1), 0.55)
            c.shape(ellipse(x, y, 0.028, 0.018), radial(rgb("ffe48a"), rgb("c88a30")))
    size = c.side * c.between(0.42, 0.62)
    look_of_wings = palette(pick(c.rng, WINGS))
    x, y = c.w * c.between(0.42, 0.58), c.h * c.between(0.4, 0.54)
    _wings(c, x, y, size, c.between(-0.6, 0.6), look_of_wings)
    if c.chance(0.25):
        x, y = c.between(0.1, 0.9) * c.w, c.between(0.08, 0.25) * c.h
        _wings(c, x, y, size * 0.25, c.between(-0.9, 0.9), look_of_wings)


def _wings(c: Canvas, x: float, y: float, size: float, angle: float, look: list[Colour]) -> None:
    """One butterfly, its wings more or less folded."""
    _, dark, _ = look
    fold = c.between(0.6, 1.0)
    both = np.concatenate([UPPER, LOWER])
    for side in (-1, 1):
        c.shape(
            place(both * (fold * side, 1), x + 0.02, y + 0.05, size, angle),
            darker(dark, 0.3),
            alpha=0.25,
            blur=0.02,
        )
    for squeeze in (-fold, 0.94 * fold):
        put = partial(_put, squeeze, (x, y), size, angle)
        _wing(c, put, size, look, lit=squeeze < 0)
    body = [(0, -0.16), (0.025, -0.06), (0.02, 0.16), (0, 0.28), (-0.02, 0.16), (-0.025, -0.06)]
    c.shape(
        place(spline(body, steps=5), x, y, size, angle), linear(lighter(dark, 0.25), darker(dark, 0.2), 0.0)
    )
    c.shape(place(ellipse(0, -0.18, 0.03, n=20), x, y, size, angle), dark)
    for side in (-1, 1):
        feeler = spline([(0, -0.19), (side * 0.07, -0.34), (side * 0.16, -0.42)], closed=False, steps=6)
        line = place(feeler, x, y, size, angle)
        c.stroke(line, dark, size * 0.011)
        c.dot(line[-1, 0], line[-1, 1], size * 0.016, dark)


def _put(squeeze: float, at: tuple[float, float], size: float, angle: float, points: Points) -> Points:
    """Outline of a wing as it lies in the picture; a negative `squeeze` puts it on the left."""
    return place(points * (squeeze, 1), at[0], at[1], size, angle)


def _wing(c: Canvas, put: Callable[[Points], Points], size: float, look: list[Colour], *, lit: bool) -> None:
    """Both wings of one side: rim, colour, veins, spots along the rim, an eye on each."""
    colour, dark, spot = look
    bright = lighter(colour, 0.42 if lit else 0.3)
    for wing, centre in ((LOWER, (0.3, 0.22)), (UPPER, (0.42, -0.26))):
        c.shape(put(wing), dark)
        inner = centre + (wing - centre) * 0.84
        c.shape(put(inner), steps((0, bright), (0.5, colour), (1, darker(colour, 0.25)), angle=0.9))
        root = np.array([0.03, -0.02])
        for k in range(6, len(wing) - 6, 6):
            reach = wing[k] - root
            c.stroke(put(np.array([root + reach * 0.15, root + reach * 0.92])), dark, size * 0.009)
        rim = centre + (wing[10:-10:4] - centre) * 0.92
        c.dots(put(rim), np.full(len(rim), size * 0.013), [spot])
    for at, r in (((0.5, -0.34), 0.05), ((0.36, 0.3), 0.045)):
        for share, shade in ((1.0, dark), (0.72, spot), (0.4, darker(colour, 0.3))):
            c.shape(put(ellipse(at[0], at[1], r * share, n=24)), shade)
