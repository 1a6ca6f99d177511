"""Pizza, seen from above."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.garden import leaf
from concept_lib.images.sample.paint import (
    Points,
    arc,
    box,
    darker,
    ellipse,
    fractal,
    fractal_line,
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
)

TABLES = ("8a5a38", "c8a070", "3a3a40", "e8e0d0", "6a7a80", "a86a48")


TOPPINGS = ("salami", "olive", "basil", "pepper", "mushroom", "tomato")


def pizza(c: Canvas) -> None:
    """Pizza from above, whole, cut, or one slice."""
    ground = rgb(pick(c.rng, TABLES))
    c.backdrop([(0, lighter(ground, 0.12)), (1, darker(ground, 0.2))])
    kind = int(c.rng.integers(3))
    if kind == 0:
        for x in np.arange(c.between(-0.1, 0), c.w, 0.16):
            c.shape(box(x, 0, x + 0.08, c.h), rgb("c8403a"), alpha=0.5)
        for y in np.arange(c.between(-0.1, 0), c.h, 0.16):
            c.shape(box(0, y, c.w, y + 0.08), rgb("c8403a"), alpha=0.5)
    else:
        grain = fractal(c.rng, 96, 96, cells=(2, 24), gain=0.7)
        c.veil(smooth(0.45, 0.8, grain if kind == 1 else grain.T) * 0.5, darker(ground, 0.45))
    x, y, r = c.w * c.between(0.44, 0.56), c.h * c.between(0.44, 0.56), c.side * c.between(0.34, 0.47)
    start = c.between(0, 2 * math.pi)
    cut = pick(c.rng, (0.0, 0.0, math.pi / 4, math.pi / 3, math.pi * 1.72))
    slice_only = cut > math.pi
    if c.chance(0.5) or slice_only:
        board = rgb(pick(c.rng, ("b8824a", "d8b080", "4a4a50", "f0ece4")))
        c.soft(x + 0.02, y + 0.035, r * 1.5, colour=rgb("140c10"), alpha=0.7)
        c.shape(ellipse(x, y, r * 1.13, n=80), linear(lighter(board, 0.2), darker(board, 0.25), 0.8))
    if not slice_only:
        c.soft(x + 0.015, y + 0.025, r * 1.32, colour=rgb("140c10"), alpha=0.7)
    _pie(c, x, y, r, start, 2 * math.pi - cut)


def _wedge(x: float, y: float, radius: np.ndarray, turn: np.ndarray, whole: bool) -> Points:
    """Outline of a disc of uneven radius, or of a slice of it."""
    rim = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], axis=1)
    return rim if whole else np.concatenate([rim, [[x, y]]])


def _pie(c: Canvas, x: float, y: float, r: float, start: float, span: float) -> None:
    """Dough, sauce, cheese and toppings over an angle."""
    whole = span > 6.2
    if span < 2:
        r *= 1.7
        x, y = x - r * 0.6 * math.cos(start + span / 2), y - r * 0.6 * math.sin(start + span / 2)
    turn = np.linspace(start, start + span, 90)
    wobble = fractal_line(c.rng, 90, cells=9) * 0.018 * np.sin(np.linspace(0, math.pi, 90)) ** 0.3
    crust = rgb(pick(c.rng, ("d89a4f", "c8843f", "e0b070", "b87438")))
    dough = radial(lighter(crust, 0.3), darker(crust, 0.3), (0.4, 0.35), 0.75)
    c.shape(_wedge(x, y, r * (1 + wobble), turn, whole), dough)
    for _ in range(20):
        at, reach = start + span * c.between(0.03, 0.97), r * c.between(0.88, 0.98)
        spot = x + reach * math.cos(at), y + reach * math.sin(at)
        c.soft(*spot, r * c.between(0.03, 0.07), colour=rgb("6a3418"), alpha=c.between(0.2, 0.7))
    sauce = rgb(pick(c.rng, ("c23a22", "b03020", "d8582e", "e8d8b0")))
    c.shape(_wedge(x, y, r * (0.86 + wobble * 1.5), turn, whole), darker(sauce, 0.15))
    cheese = rgb(pick(c.rng, ("f7cf6a", "f9e0a0", "f2bd55", "fbe8b8")))
    melted = radial(lighter(cheese, 0.2), mix(cheese, sauce, 0.25), (0.4, 0.4), 0.8)
    c.shape(_wedge(x, y, r * (0.8 + wobble * 3), turn, whole), melted, alpha=0.95, blur=r * 0.015)
    blots = (mix(cheese, sauce, 0.55), lighter(cheese, 0.5), rgb("c8843a"))
    for px, py in _scatter(c, x, y, r * 0.72, start, span, 26):
        c.soft(px, py, r * c.between(0.04, 0.13), colour=pick(c.rng, blots), alpha=0.55)
    chosen = c.rng.choice(len(TOPPINGS), int(c.rng.integers(1, 4)), replace=False)
    places = _scatter(c, x, y, r * 0.7, start, span, int(c.rng.integers(14, 26)), r * 0.2)
    for k, (px, py) in enumerate(places):
        _topping(c, TOPPINGS[int(chosen[k % len(chosen)])], px, py, r)
    if whole and c.chance(0.6):
        for k in range(4):
            cut = place([(-0.97, 0), (0.97, 0)], x, y, r, start + k * math.pi / 4)
            c.stroke(cut, darker(crust, 0.55), 0.005, alpha=0.6)


def _topping(c: Canvas, name: str, x: float, y: float, r: float) -> None:
    """One piece of topping."""
    turn = c.between(0, 6.28)
    if name in ("salami", "tomato"):
        _disc(c, name, x, y, r * c.between(0.1, 0.13), turn)
    elif name == "olive":
        c.shape(ellipse(x, y, r * 0.058, n=28), radial(rgb("5a5a58"), rgb("1c1a20")))
        c.shape(ellipse(x, y, r * 0.024, n=20), rgb("e8b85a"))
    elif name == "basil":
        leaf(c, np.array([x, y]), r * c.between(0.16, 0.24), turn, rgb("4f9a3f"))
    elif name == "pepper":
        ring = arc(0, 0, 0.09, 0.07, 0, 4.2, 16)
        c.stroke(place(ring, x + 0.003, y + 0.005, r, turn), rgb("5a2a10"), r * 0.03, alpha=0.4)
        c.stroke(place(ring, x, y, r, turn), pick(c.rng, palette("5fa83a e8b82a d8402e")), r * 0.032)
    else:
        half = [(0, -0.1), (0.1, -0.05), (0.1, 0.0), (0.035, 0.01), (0.03, 0.1)]
        mushroom = spline(mirrored(half), steps=4)
        c.shape(place(mushroom, x + 0.003, y + 0.005, r, turn), rgb("5a3a20"), alpha=0.4)
        c.shape(place(mushroom, x, y, r, turn), linear(rgb("f6ead6"), rgb("c8a888")))


def _disc(c: Canvas, name: str, x: float, y: float, size: float, turn: float) -> None:
    """Slice of salami or tomato."""
    red = rgb("b8352a") if name == "salami" else rgb("e0482e")
    c.shape(ellipse(x + 0.004, y + 0.007, size), rgb("5a1c10"), alpha=0.5)
    c.shape(ellipse(x, y, size), radial(lighter(red, 0.25), darker(red, 0.3)))
    if name == "salami":
        fat = place(c.rng.normal(0, 0.45, (6, 2)), x, y, size)
        c.dots(fat, np.full(6, size * 0.09), [lighter(red, 0.35), darker(red, 0.3)])
    else:
        c.shape(ellipse(x, y, size * 0.78), lighter(red, 0.2))
        c.dots(place(ellipse(0, 0, 0.45, n=6), x, y, size, turn), np.full(6, size * 0.16), [rgb("f7c860")])


def _scatter(
    c: Canvas, x: float, y: float, r: float, start: float, span: float, count: int, apart: float = 0.0
) -> list[tuple[float, float]]:
    """Random places on a slice, at least `apart` from each other."""
    chosen: list[tuple[float, float]] = []
    margin = min(0.4, 0.22 / span)
    for _ in range(count * 3):
        turn, reach = start + span * c.between(margin, 1 - margin), r * math.sqrt(c.between(margin, 1))
        spot = x + reach * math.cos(turn), y + reach * math.sin(turn)
        if len(chosen) < count and all(math.dist(spot, other) >= apart for other in chosen):
            chosen.append(spot)
    return chosen
