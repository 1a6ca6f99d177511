"""In the garden: flower, sunflower."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import blurred_garden, bokeh, clouds, light, sky, sun
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    ellipse,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    radial,
    rgb,
    spline,
)

GARDENS = (
    "7fae6a d8e8a0",
    "5f9a80 b8e0c0",
    "8fb4c8 e8f0e0",
    "c8b0c8 f6e0ea",
    "a8b870 f4eab0",
    "4f7f6a 90b890",
    "e8c8a8 fbeed8",
    "384f5a 6a8a80",
)


BLOSSOMS = (
    "f2709c fdd2e0",
    "e0405a f8b4a0",
    "a86fd8 dcc0f5",
    "f7f3ea fffaf0",
    "6f8ff0 b8ccff",
    "f58a5a ffd8a8",
    "d84a9a f8a8d8",
    "e8504a ff9a7a",
    "b0d0f8 f0f8ff",
)


@dataclass(frozen=True, slots=True)
class Petals:
    """Ring of petals: how many, half width as a share of the length, colours, notch at the tip."""

    count: int
    wide: float
    colour: Colour
    tip: Colour
    notch: float = 0.0


def stem(c: Canvas, x: float, y: float, foot: tuple[float, float], width: float, green: Colour) -> None:
    """Bent stem with two leaves, from a blossom down."""
    bend = (x + foot[0]) / 2 + c.between(-0.06, 0.06), (y + foot[1]) / 2
    line = spline([(x, y), bend, foot], closed=False, steps=8)
    c.stroke(line, darker(green, 0.25), width)
    c.stroke(line - (width * 0.18, 0), lighter(green, 0.1), width * 0.35)
    for side in (-1, 1):
        at = line[int(c.rng.integers(6, 13))]
        leaf(c, at, c.between(0.12, 0.22), -math.pi / 2 + side * c.between(0.6, 1.2), green)


def leaf(c: Canvas, at: Points, length: float, angle: float, green: Colour) -> None:
    """Pointed leaf with a midrib."""
    half = [(0, 0), (0.3, -0.17), (0.65, -0.15), (1, 0)]
    upper = spline(half, closed=False, steps=6)
    lower = upper * (1, -1)
    x, y = float(at[0]), float(at[1])
    c.shape(
        place(np.concatenate([upper, lower[::-1]]), x, y, length, angle),
        linear(lighter(green, 0.15), darker(green, 0.25)),
    )
    c.shape(place(np.concatenate([lower, [[0.5, 0]]]), x, y, length, angle), darker(green, 0.22), alpha=0.7)
    c.stroke(place([(0.05, 0), (0.9, 0)], x, y, length, angle), lighter(green, 0.3), length * 0.02)


def petals(c: Canvas, x: float, y: float, r: float, look: Petals, turn: float, squash: float) -> None:
    """Ring of petals around (x, y), seen at a slant given by `squash`."""
    wide = look.wide
    side = [(0.35, wide * 0.7), (0.78, wide), (0.98, wide * 0.35)]
    half = [(px, -py) for px, py in side]
    outline = spline([(0.1, 0), *half, (1.0 - look.notch, 0), *reversed(side)], steps=5)
    vein, at = np.array([(0.2, 0), (0.85, 0)]), np.array([x, y])
    for k in c.rng.permutation(look.count):
        angle = turn + 2 * math.pi * k / look.count + c.between(-0.06, 0.06)
        size = r * c.between(0.92, 1.06)
        here = place(outline, 0, 0, size, angle) * (1, squash)
        lit = 0.5 - 0.5 * math.sin(angle + 0.6)
        c.shape(here + (at + 0.003), darker(look.colour, 0.3))
        shade = mix(darker(look.colour, 0.2), lighter(look.colour, 0.06), lit)
        end = mix(darker(look.tip, 0.12), lighter(look.tip, 0.15), lit)
        for share in (0.0, 0.3, 0.6, 0.9):
            c.shape(here * (1 - 0.5 * share) + at, mix(end, shade, share))
        c.stroke(place(vein, 0, 0, size, angle) * (1, squash) + at, darker(shade, 0.12), r * 0.01)


def flower(c: Canvas) -> None:
    """Garden blossoms: daisies, cosmos, poppies, tulips."""
    base, other = palette(pick(c.rng, GARDENS))
    blurred_garden(c, base, other)
    colour, tip = palette(pick(c.rng, BLOSSOMS))
    bokeh(c, [lighter(other, 0.4), mix(colour, other, 0.4)], 12)
    green = rgb(pick(c.rng, ("4f8a4a", "6a9a48", "3f7a58", "7fa050")))
    kind = pick(c.rng, ("daisy", "daisy", "cosmos", "tulip", "poppy"))
    count = pick(c.rng, (1, 1, 2, 3, 5))
    size = c.side * (c.between(0.3, 0.42) if count == 1 else c.between(0.15, 0.24))
    columns = np.linspace(0.5 / count, 1 - 0.5 / count, count)
    for k in c.rng.permutation(count):
        x = c.w * (float(columns[k]) + c.between(-0.06, 0.06))
        y = c.h * (c.between(0.32, 0.5) if count < 3 else c.between(0.22, 0.62))
        stem(c, x, y, (x + c.between(-0.1, 0.1), c.h + 0.05), 0.02 + size * 0.03, green)
        _blossom(c, kind, x, y, size * c.between(0.85, 1.1), colour, tip)


def _blossom(c: Canvas, kind: str, x: float, y: float, r: float, colour: Colour, tip: Colour) -> None:
    """One blossom of a kind."""
    squash, turn = c.between(0.72, 1.0), c.between(0, 1)
    gold = rgb(pick(c.rng, ("f5c83a", "f0a830", "e8d860")))
    if kind == "tulip":
        _tulip(c, x, y, r * 0.8, colour, tip)
        return
    if kind == "poppy":
        outer = Petals(5, 0.52, darker(colour, 0.1), mix(colour, tip, 0.3), 0.06)
        petals(c, x, y, r, outer, turn, squash)
        inner = Petals(4, 0.5, darker(colour, 0.2), mix(colour, tip, 0.5), 0.06)
        petals(c, x, y, r * 0.7, inner, turn + 0.6, squash)
        c.shape(ellipse(x, y, r * 0.2, r * 0.2 * squash), radial(rgb("7a8a50"), rgb("23202a")))
        c.dots(place(ellipse(0, 0, 0.28, n=22), x, y, r), np.full(22, r * 0.022), [rgb("2a2430"), gold])
        return
    if kind == "cosmos":
        petals(c, x, y, r, Petals(int(c.rng.integers(7, 9)), 0.32, colour, tip, 0.05), turn, squash)
    else:
        ring = Petals(int(c.rng.integers(13, 20)), 0.15, colour, tip)
        petals(c, x, y, r, ring, turn, squash)
        petals(c, x, y, r * 0.78, ring, turn + 0.2, squash)
    c.shape(ellipse(x, y, r * 0.24, r * 0.24 * squash), radial(lighter(gold, 0.3), darker(gold, 0.4)))
    seeds = spiral(60) * (0.2, 0.2 * squash)
    c.dots(place(seeds, x, y, r), np.full(60, r * 0.014), [lighter(gold, 0.4), darker(gold, 0.25)])


def _tulip(c: Canvas, x: float, y: float, r: float, colour: Colour, tip: Colour) -> None:
    """Cup of three visible petals."""
    back = [(0, -1.05), (0.3, -0.6), (0.42, 0.1), (0, 0.7), (-0.42, 0.1), (-0.3, -0.6)]
    side = spline([(0.62, -0.95), (0.66, -0.1), (0.4, 0.6), (0, 0.78), (-0.05, 0.3), (0.2, -0.4)], steps=6)
    c.shape(place(spline(back, steps=6), x, y, r), linear(mix(tip, colour, 0.5), darker(colour, 0.3)))
    c.shape(place(side, x, y, r), linear(lighter(tip, 0.1), darker(colour, 0.22)))
    c.shape(place(side * (-1, 1), x, y, r), linear(lighter(tip, 0.3), colour))


def spiral(n: int) -> Points:
    """Seeds of a flower head: the golden angle fills the unit disc evenly."""
    reach, turn = np.sqrt(np.arange(n) / n), np.arange(n) * 2.39996
    return np.stack([reach * np.cos(turn), reach * np.sin(turn)], axis=1)


def sunflower(c: Canvas) -> None:
    """Sunflowers: wide seed discs, two rings of yellow petals."""
    if c.chance(0.65):
        _sunflower_field(c)
    else:
        base, other = palette(pick(c.rng, GARDENS))
        blurred_garden(c, base, other)
        bokeh(c, [lighter(other, 0.4), rgb("f5d060")], 14)
    count = pick(c.rng, (1, 1, 1, 2, 3))
    size = c.side * (c.between(0.3, 0.44) if count == 1 else c.between(0.17, 0.25))
    for k in range(count):
        x = c.w * ((k + 0.5) / count + c.between(-0.06, 0.06))
        y = c.h * c.between(0.32, 0.52)
        stem(c, x, y, (x + c.between(-0.08, 0.08), c.h + 0.05), 0.025 + size * 0.04, rgb("5f8a3f"))
        _sunflower(c, x, y, size)


def _sunflower_field(c: Canvas) -> None:
    """Sky over a field of sunflowers."""
    day = light(c, "clear soft golden sunset lagoon")
    horizon = c.h * c.between(0.6, 0.8)
    sky(c, day, horizon)
    if c.chance(0.4):
        sun(c, day, c.between(0.1, 0.9) * c.w, c.between(0.1, 0.4) * c.h, 0.03)
    clouds(c, day, horizon, c.between(0.1, 0.6))
    field = day.on(rgb("5f8a3a"))
    c.backdrop([(0, mix(field, day.haze, 0.4)), (1, darker(field, 0.45))], horizon)
    for share in np.sort(c.rng.random(44)).tolist():
        x, y, r = c.between(0, c.w), horizon + (c.h - horizon) * share, 0.01 + 0.032 * share
        c.soft(x, y + r, r * 1.6, colour=darker(field, 0.3), alpha=0.7)
        c.dot(x, y, r, mix(day.on(rgb("f2b928")), field, 0.5 * (1 - share)))
        c.dot(x, y, r * 0.45, mix(day.on(rgb("5a3a20")), field, 0.5 * (1 - share)))


def _sunflower(c: Canvas, x: float, y: float, r: float) -> None:
    """One head."""
    gold, tip = palette(pick(c.rng, ("f2a51e fcd84a", "f5b81f ffe46a", "e88f1a f9c83a", "f0b030 fbe078")))
    turn, squash = c.between(0, 1), c.between(0.82, 1.0)
    count = int(c.rng.integers(17, 24))
    petals(c, x, y, r, Petals(count, 0.15, darker(gold, 0.15), darker(tip, 0.08)), turn, squash)
    petals(c, x, y, r * 0.9, Petals(count, 0.14, gold, tip), turn + math.pi / count, squash)
    disc = r * c.between(0.42, 0.52)
    brown = rgb(pick(c.rng, ("4a2a18", "5a3a1c", "3a2420")))
    c.shape(
        ellipse(x, y, disc, disc * squash), radial(lighter(brown, 0.12), darker(brown, 0.35), (0.4, 0.35))
    )
    n = 170
    inner, husk = mix(rgb("7a8a3a"), brown, 0.4), mix(rgb("d89a3a"), brown, 0.4)
    tones = [mix(inner, darker(husk, 0.12 * (k % 3)), (k / n) ** 2) for k in range(n)]
    c.dots(place(spiral(n) * (0.95, 0.95 * squash), x, y, disc), np.full(n, disc * 0.032), tones)
