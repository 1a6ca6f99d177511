"""Umbrella in a rainy street."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import bokeh
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    arc,
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
    spline,
)

WEATHER = (
    "5a6a80 b0b8c0",
    "2f4a70 8aa8c8",
    "7a9aa8 dce4dc",
    "4a3f78 c898b8",
    "2f6f78 a0d0c8",
    "182448 5a5f98",
    "a86a58 f4c890",
    "6a8a58 d8d898",
)


def umbrella(c: Canvas) -> None:
    """Open umbrella in a rainy street."""
    high, low = palette(pick(c.rng, WEATHER))
    ground = c.h * c.between(0.7, 0.84)
    c.backdrop([(0, high), (1, low)], 0, ground)
    for _ in range(int(c.rng.integers(4, 9))):
        x, wide, tall = c.between(-0.1, c.w), c.between(0.1, 0.2), c.between(0.2, 0.6) * c.h
        facade = mix(high, low, c.between(0.3, 0.7))
        c.shape(box(x, ground - tall, x + wide, ground), facade, alpha=0.6, blur=0.015)
    bokeh(c, palette("ffd890 ffb070 f08a7a a8d0e8 fff0d0"), int(c.rng.integers(4, 16)), 0.02, 0.07)
    c.backdrop([(0, mix(high, low, 0.5)), (1, darker(high, 0.4))], ground)
    cloth = hsv(c.between(0, 1), c.between(0.55, 0.85), c.between(0.75, 0.95))
    other = pick(c.rng, (cloth, cloth, rgb("f8f2e4"), hsv(c.between(0, 1), 0.6, 0.9)))
    puddle = ground + (c.h - ground) * 0.4
    size, x = c.side * c.between(0.32, 0.46), c.w * c.between(0.4, 0.6)
    c.soft(x, puddle, size * 1.2, 0.06, colour=mix(cloth, high, 0.3), alpha=0.75)
    for _ in range(12):
        ripple = c.between(0, c.w), c.between(ground, c.h), c.between(0.04, 0.16), 0.004
        c.soft(*ripple, colour=lighter(low, 0.3), alpha=0.5)
    _rain(c, 55, lighter(low, 0.35), 0.4)
    _umbrella(c, x, c.h * c.between(0.36, 0.48), size, c.between(-0.45, 0.45), (cloth, other))
    _rain(c, 30, lighter(low, 0.65), 0.6)


def _rain(c: Canvas, count: int, colour: Colour, alpha: float) -> None:
    """Slanting streaks."""
    for _ in range(count):
        x, y, reach = c.between(0, c.w), c.between(-0.05, c.h), c.between(0.03, 0.08)
        c.stroke([(x, y), (x - 0.18 * reach, y + reach)], colour, 0.0025, alpha=alpha)


def _umbrella(c: Canvas, x: float, y: float, r: float, tilt: float, look: tuple[Colour, Colour]) -> None:
    """One open umbrella: a stick with a hook, panels between ribs."""
    handle = rgb(pick(c.rng, ("6a4028", "2a2a34", "c89a5a")))
    c.stroke(place([(0.0, -0.1), (0.0, 1.2)], x, y, r, tilt), rgb("8a8a94"), r * 0.035)
    hook = np.concatenate([[(0.0, 0.95), (0.0, 1.2)], arc(0.13, 1.2, 0.13, 0.14, math.pi, 0.15, 14)])
    c.stroke(place(hook, x, y, r, tilt), handle, r * 0.075)
    c.stroke(place([(0, -0.78), (0, -0.94)], x, y, r, tilt), rgb("55555f"), r * 0.035)
    c.shape(place(ellipse(0, 0.02, 1.0, 0.17), x, y, r, tilt), darker(look[0], 0.6))
    dome = c.between(0.7, 0.85)
    for k, (a, b) in enumerate(pairwise((-np.cos(np.linspace(0, math.pi, 7))).tolist())):
        base, lit = look[k % 2], 1 - abs((a + b) / 2 + 0.35)
        shade = lighter(base, 0.25 * lit) if lit > 0.3 else darker(base, 0.3 * (0.9 - lit))
        left, right = _rib(a, dome), _rib(b, dome)
        middle = (left[-1] + right[-1]) / 2 - (0, 0.09)
        hem = spline(np.stack([left[-1], middle, right[-1]]), closed=False, steps=6)
        panel = place(np.concatenate([left, hem, right[::-1]]), x, y, r, tilt)
        c.shape(panel, linear(lighter(shade, 0.15), darker(shade, 0.2)))
        c.stroke(place(left, x, y, r, tilt), darker(base, 0.35), r * 0.012)


def _rib(reach: float, dome: float) -> Points:
    """Line from the top of an umbrella to its hem, `reach` (-1..1) to the side."""
    turn = np.linspace(0, math.pi / 2, 14)
    sag = 0.1 * math.sqrt(1 - min(1.0, reach * reach))
    return np.stack([reach * np.sin(turn), sag * np.sin(turn) - dome * np.cos(turn)], axis=1)
