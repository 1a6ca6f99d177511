"""Train on its track."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import clouds, hills, light, meadow, ridge, sky, sun, tree
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    box,
    darker,
    ellipse,
    lighter,
    linear,
    mix,
    pick,
    rgb,
)


def train(c: Canvas) -> None:
    """Train on its track, a steam engine or a railcar."""
    day = light(c, "clear soft golden sunset dawn dusk grey lagoon")
    rail = c.h * c.between(0.66, 0.82)
    sky(c, day, rail)
    clouds(c, day, rail, c.between(0.2, 0.6))
    if c.chance(0.3):
        sun(c, day, c.between(0.1, 0.9) * c.w, rail * c.between(0.2, 0.6), 0.03)
    land = rgb(pick(c.rng, ("7aa850", "98a850", "5a9060", "c8a060", "b08a50")))
    c.shape(ridge(c, rail - 0.2, 0.1, cells=4, gain=0.5), day.on(darker(land, 0.2), 0.65))
    hills(c, day, land, rail - 0.1, rail - 0.02, 3)
    for _ in range(int(c.rng.integers(2, 8))):
        tree(c, c.between(0, c.w), rail, c.between(0.08, 0.2), day.on(darker(land, 0.3), 0.15))
    _track(c, rail, day.on(land), day.on(rgb("8a8078")))
    colour = day.on(rgb(pick(c.rng, ("c23a30", "2f6a9a", "2f7a55", "e0a030", "7a3f7a", "3a4250", "e8743a"))))
    facing = pick(c.rng, (-1, 1))
    nose = c.w / 2 + facing * c.w * c.between(0.22, 0.46)
    side = Side(nose, rail, c.h * c.between(0.16, 0.26), -facing)
    if c.chance(0.55):
        _steam(c, side, colour)
    else:
        _railcar(c, side, colour, day.on(rgb("f4f2ec")))


def _track(c: Canvas, rail: float, land: Colour, gravel: Colour) -> None:
    """Meadow, ballast, sleepers and a rail."""
    c.shape(box(-0.01, rail, c.w + 0.01, c.h + 0.01), linear(land, darker(land, 0.4)))
    ballast = box(-0.01, rail - 0.005, c.w + 0.01, rail + 0.05)
    c.shape(ballast, linear(lighter(gravel, 0.15), darker(gravel, 0.3)))
    meadow(c, rail + 0.05, land)
    for x in np.arange(-0.01, c.w, 0.035).tolist():
        c.shape(box(x, rail + 0.008, x + 0.018, rail + 0.022), darker(gravel, 0.55))
    c.shape(box(-0.01, rail, c.w + 0.01, rail + 0.009), lighter(gravel, 0.3))


@dataclass(frozen=True, slots=True)
class Side:
    """Side view of a train: lengths in heights of a wagon, from the nose back and from the rail up."""

    nose: float
    rail: float
    tall: float
    back: int  # 1 when the train faces left

    def x(self, along: float) -> float:
        """Place along the train in units of the picture."""
        return self.nose + self.back * along * self.tall

    def y(self, up: float) -> float:
        """Height above the rail in units of the picture."""
        return self.rail - up * self.tall

    def put(self, points: list[tuple[float, float]]) -> Points:
        """Outline in units of the picture."""
        return np.array([(self.x(along), self.y(up)) for along, up in points])

    def block(self, front: float, rear: float, low: float, high: float) -> Points:
        """Upright rectangle in units of the picture."""
        return self.put([(front, low), (rear, low), (rear, high), (front, high)])


def _wheels(c: Canvas, side: Side, spots: tuple[float, ...], r: float) -> None:
    """Spoked wheels that stand on the rail."""
    for along in spots:
        for share, colour in ((1.0, "26242c"), (0.72, "6a4a44"), (0.25, "c8b090")):
            c.shape(ellipse(side.x(along), side.y(r), r * side.tall * share, n=32), rgb(colour))


def _steam(c: Canvas, side: Side, colour: Colour) -> None:
    """Steam engine with wagons and a plume."""
    h = side.tall
    for k in range(int(c.rng.integers(7, 13))):
        r = h * (0.16 + 0.06 * k)
        x, y = side.x(0.42 + 0.34 * k), side.y(1.5 + 0.4 * math.sqrt(k) + c.between(-0.1, 0.1))
        c.soft(x + 0.1 * r, y + 0.15 * r, r * 1.3, colour=rgb("9a98a4"), alpha=0.6)
        c.soft(x, y, r * 1.15, colour=rgb("f6f3ee"), alpha=0.75)
    for k in range(4):
        _wagon(c, side, 2.75 + k * 1.75, pick(c.rng, (colour, darker(colour, 0.25), rgb("8a5a3a"))))
    _engine(c, side, colour)
    c.shape(side.block(-0.02, 2.6, 0.26, 0.4), rgb("2a2830"))
    c.shape(side.put([(0.12, 0.32), (-0.26, 0.03), (0.12, 0.03)]), darker(colour, 0.2))
    _wheels(c, side, (0.35, 0.85, 1.35), 0.2)
    _wheels(c, side, (2.2,), 0.26)
    c.stroke(side.put([(0.35, 0.2), (1.35, 0.2)]), rgb("c8c0b0"), h * 0.05)
    c.soft(side.x(0.0), side.y(0.8), 0.35 * h, colour=rgb("fff0b0"), alpha=0.9, light=True)


def _wagon(c: Canvas, side: Side, start: float, body: Colour) -> None:
    """Old passenger wagon."""
    c.shape(side.block(start, start + 1.62, 0.24, 0.95), linear(lighter(body, 0.15), darker(body, 0.3)))
    c.shape(side.block(start - 0.04, start + 1.66, 0.95, 1.05), darker(body, 0.5))
    for k in range(4):
        window = side.block(start + 0.13 + 0.38 * k, start + 0.37 + 0.38 * k, 0.55, 0.84)
        c.shape(window, linear(rgb("fff0c0"), rgb("b8c8d0")))
    c.stroke(side.put([(start - 0.16, 0.3), (start, 0.3)]), rgb("26242c"), side.tall * 0.06)
    _wheels(c, side, (start + 0.3, start + 1.3), 0.15)


def _engine(c: Canvas, side: Side, colour: Colour) -> None:
    """Boiler, cab, funnel and domes."""
    steel = darker(mix(colour, rgb("30303c"), 0.4), 0.1)
    c.shape(side.block(0.12, 1.75, 0.4, 0.98), linear(lighter(steel, 0.35), darker(steel, 0.45)))
    c.shape(side.block(0.04, 0.2, 0.36, 1.02), linear(lighter(steel, 0.1), darker(steel, 0.5)))
    c.shape(side.block(1.7, 2.55, 0.3, 1.32), linear(lighter(colour, 0.12), darker(colour, 0.35)))
    c.shape(side.block(1.62, 2.65, 1.3, 1.4), darker(colour, 0.55))
    c.shape(side.block(1.85, 2.35, 0.85, 1.18), linear(rgb("ffe8b0"), rgb("90a8b8")))
    funnel = [(0.34, 0.95), (0.28, 1.42), (0.62, 1.42), (0.56, 0.95)]
    c.shape(side.put(funnel), linear(rgb("4a4854"), rgb("1e1c26"), 0.0))
    c.shape(side.block(0.24, 0.66, 1.38, 1.5), rgb("b08a3a"))
    for along in (0.9, 1.3):
        dome = ellipse(side.x(along), side.y(0.99), 0.13 * side.tall)
        c.shape(dome, linear(rgb("e8c860"), rgb("8a6a28")))
    for along in (0.5, 1.0, 1.4):
        c.shape(side.block(along, along + 0.04, 0.4, 0.98), rgb("c8a048"))


def _railcar(c: Canvas, side: Side, colour: Colour, white: Colour) -> None:
    """Smooth modern train under a contact wire."""
    body, stripe = (white, colour) if c.chance(0.5) else (colour, white)
    for k in range(4):
        _coach(c, side, 3.1 * k, body, stripe, first=k == 0)
    iron = rgb("4a4a55")
    for k in range(2):
        along = 2.0 + 3.1 * k
        c.stroke(side.put([(along, 1.12), (along + 0.2, 1.3), (along, 1.45)]), iron, 0.005)
    c.stroke([(0, side.y(1.46)), (c.w, side.y(1.46))], iron, 0.003, alpha=0.8)
    for x in np.arange(c.between(0, 0.3), c.w, 0.42).tolist():
        c.stroke([(x, side.rail), (x, side.y(1.62)), (x + 0.09, side.y(1.55))], iron, 0.007)


def _coach(c: Canvas, side: Side, start: float, body: Colour, stripe: Colour, *, first: bool) -> None:
    """One coach; the first has a sloping nose and a lamp."""
    end = start + 3.03
    nose = [(start, 0.3), (start + 0.12, 0.52), (start + 0.6, 0.95), (start + 1.0, 1.12)]
    front = nose if first else [(start, 0.2), (start, 1.12)]
    outline = side.put([*front, (end, 1.12), (end, 0.2), (start + 0.05, 0.2)])
    c.shape(outline, linear(lighter(body, 0.2), darker(body, 0.28)))
    c.shape(side.block(start + 0.06 * first, end, 0.3, 0.4), stripe)
    pane = start + (0.8 if first else 0.15)
    glass = [(pane, 0.66), (pane + 0.2 * first, 0.94), (start + 2.9, 0.94), (start + 2.9, 0.66)]
    c.shape(side.put(glass), linear(rgb("52687e"), rgb("1e2a3a")))
    if first:
        windscreen = [(0.27, 0.62), (0.62, 0.9), (0.86, 0.9), (0.66, 0.62)]
        c.shape(side.put(windscreen), linear(rgb("6a8298"), rgb("1e2a3a")))
        c.soft(side.x(0.1), side.y(0.42), 0.3 * side.tall, colour=rgb("fff4c8"), alpha=0.9, light=True)
    for along in np.arange(start + 1.25, start + 2.9, 0.42).tolist():
        c.shape(side.block(along, along + 0.06, 0.62, 0.98), body)
    _wheels(c, side, (start + 0.6, start + 0.95, start + 2.2, start + 2.55), 0.11)
    c.shape(side.block(start + 0.1, start + 3.0, 0.14, 0.24), rgb("3a3a44"))
