"""Under water: fish."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import ridge
from concept_lib.images.sample.paint import (
    Colour,
    Outline,
    Points,
    arc,
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
    steps,
)


def fish(c: Canvas) -> None:
    """Fish among corals, in light that falls from above."""
    top, bottom = palette(
        pick(c.rng, ("5fc6d8 0b4a7a", "3fa8d8 082f66", "8fe0d0 0f6a78", "4fb0b8 103a58", "7ab8e8 2a3f8f"))
    )
    c.backdrop([(0, lighter(top, 0.25)), (0.35, top), (1, bottom)])
    for _ in range(4):
        x, wide = c.between(-0.1, c.w), c.between(0.03, 0.09)
        lean = c.between(0.05, 0.3)
        ray = np.array([(x, -0.02), (x + wide, -0.02), (x + wide * 2.2 + lean, c.h), (x + lean - wide, c.h)])
        c.shape(ray, lighter(top, 0.5), alpha=c.between(0.1, 0.22), blur=0.02)
    floor = c.h * c.between(0.84, 0.95)
    c.shape(ridge(c, floor - 0.06, 0.05), mix(bottom, top, 0.25), alpha=0.7)
    _reef(c, floor, bottom)
    sand = mix(rgb("f0dcac"), bottom, 0.3)
    c.shape(ridge(c, floor, 0.02), linear(sand, darker(sand, 0.4)))
    look = _fish_colours(c)
    if c.chance(0.35):
        count = int(c.rng.integers(3, 6))
        for k in range(count):
            x = c.w * (0.12 + 0.76 * (k + 0.5) / count)
            _one_fish(c, x, floor * c.between(0.12, 0.85), c.side * c.between(0.2, 0.34), look)
    else:
        if c.chance(0.5):
            x = c.w * c.between(0.05, 0.95)
            _one_fish(c, x, floor * c.between(0.06, 0.16), c.side * c.between(0.1, 0.18), _fish_colours(c))
        x, y = c.w * c.between(0.32, 0.68), floor * c.between(0.44, 0.62)
        _one_fish(c, x, y, c.side * c.between(0.5, 0.78), look)
    for _ in range(int(c.rng.integers(4, 14))):
        x, y, r = c.between(0, c.w), c.between(0, floor), c.between(0.006, 0.018)
        c.shape(ellipse(x, y, r, n=20), lighter(top, 0.6), alpha=0.35)
        c.dots(np.array([[x - r * 0.3, y - r * 0.3]]), np.array([r * 0.3]), [rgb("ffffff")])


def _reef(c: Canvas, floor: float, water: Colour) -> None:
    """Corals and weeds along the bottom."""
    for _ in range(int(c.rng.integers(3, 8))):
        x, height = c.between(0, c.w), c.between(0.08, 0.24)
        colour = mix(
            hsv(pick(c.rng, (0.95, 0.03, 0.1, 0.8, 0.35, 0.42)) + c.between(-0.03, 0.03), 0.65, 0.9),
            water,
            0.3,
        )
        if c.chance(0.5):
            for turn in np.linspace(-0.5, 0.5, 5):
                bend = c.between(-0.04, 0.04)
                line = spline(
                    [
                        (x, floor + 0.03),
                        (x + turn * height * 0.4 + bend, floor - height * 0.5),
                        (x + turn * height, floor - height * c.between(0.7, 1.0)),
                    ],
                    closed=False,
                    steps=6,
                )
                c.stroke(line, darker(colour, 0.15 + abs(turn) * 0.4), height * 0.11)
                c.dots(line[-1:], np.array([height * 0.055]), [darker(colour, 0.15 + abs(turn) * 0.4)])
        else:
            for k in range(6):
                r = height * c.between(0.2, 0.4)
                px, py = x + c.between(-0.6, 0.6) * height, floor - c.between(0, 0.3) * height
                c.shape(ellipse(px, py, r), linear(lighter(colour, 0.2), darker(colour, 0.45 + 0.02 * k)))


def _fish_colours(c: Canvas) -> list[Colour]:
    """Body, stripe and fin colours."""
    return palette(
        pick(
            c.rng,
            (
                "f47a1f fff4e6 d9520f",
                "f2c230 2a2f4a e09a14",
                "3f74d8 f4d64a 24408f",
                "e8506a fbd6c8 b02a50",
                "f5a742 f8e7c8 e0702a",
                "58c1a8 f0f3c0 2a7f86",
                "f1efe6 2d2f3c d8c26a",
                "a066d0 f5c8e4 6a3a9f",
            ),
        )
    )


def _one_fish(c: Canvas, x: float, y: float, size: float, look: list[Colour]) -> None:
    """One fish, length `size`, facing left or right."""
    flip, tilt, deep = pick(c.rng, (-1, 1)), c.between(-0.25, 0.25), c.between(0.17, 0.3)
    body, _, fin = look

    def put(points: Outline) -> Points:
        return place(np.asarray(points) * (flip, 1), x, y, size, tilt)

    fork = c.between(0.14, 0.24)
    tail = [(-0.3, 0.0), (-0.42, -0.1), (-0.56, -fork), (-0.5, 0.0), (-0.56, fork), (-0.42, 0.1)]
    c.shape(put(spline(tail, steps=6)), linear(lighter(fin, 0.2), darker(fin, 0.2)))
    for sign in (-1, 1):
        edge = [(0.16, deep * 0.8), (-0.02, deep + 0.13), (-0.2, deep + 0.08), (-0.24, deep * 0.45)]
        fan = spline(edge, steps=6) * (1, sign)
        c.shape(put(fan), linear(lighter(fin, 0.15), darker(fin, 0.25)))
    turn = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    outline = np.stack([0.4 * np.cos(turn), deep * np.sin(turn) * (0.78 + 0.22 * np.cos(turn))], axis=1)
    flank = ((0, darker(body, 0.12)), (0.35, body), (0.62, lighter(body, 0.18)), (1, lighter(body, 0.5)))
    c.shape(put(outline), steps(*flank))
    _pattern(c, put, deep, size, look)
    pectoral = [(0.06, 0.02), (-0.1, -0.02), (-0.14, 0.1), (-0.02, 0.12)]
    c.shape(put(spline(pectoral, steps=5)), darker(fin, 0.1), alpha=0.85)
    gill = arc(0.16, 0.0, 0.06, deep * 0.8, -1.2, 1.2, 14)
    c.stroke(put(gill), darker(body, 0.4), size * 0.01, alpha=0.6)
    eye = -deep * 0.22
    for at, up, r, colour in (
        (0.27, 0, 0.045, "ffffff"),
        (0.28, 0, 0.028, "14141f"),
        (0.288, 0.012, 0.009, "ffffff"),
    ):
        c.shape(put(ellipse(at, eye - up, r, n=28)), rgb(colour))


def _pattern(
    c: Canvas, put: Callable[[Outline], Points], deep: float, size: float, look: list[Colour]
) -> None:
    """One to three bands, or spots."""
    body, stripe, _ = look
    kind = int(c.rng.integers(4))
    if kind < 3:
        for at in (0.12, -0.08, -0.25)[: kind + 1]:
            reach = deep * math.sqrt(1 - (at / 0.4) ** 2) * (0.76 + 0.49 * at)
            right = [(0.05, -reach * 0.96), (0.075, 0), (0.05, reach * 0.96)]
            band = [(-0.02, -reach), *right, (-0.02, reach), (0.01, 0)]
            c.shape(put(place(spline(band, steps=5), at, 0)), stripe, alpha=0.92)
    else:
        spots = c.rng.uniform((-0.26, -0.6), (0.1, 0.6), (16, 2)) * (1, deep)
        c.dots(put(spots), c.rng.uniform(0.008, 0.02, 16) * size, [stripe, darker(body, 0.15)])
