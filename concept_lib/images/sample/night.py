"""In the night sky: stars, fireworks."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import pine, ridge, tree
from concept_lib.images.sample.paint import (
    Colour,
    box,
    darker,
    fractal,
    hsv,
    lighter,
    linear,
    mix,
    palette,
    pick,
    place,
    rgb,
    smooth,
)

NIGHTS = (
    "03051a 0c1a4a 2c4a86",
    "07031c 2a1450 6a3a86",
    "02101c 0a3a4f 3f8a90",
    "05060f 141a35 4a4560",
    "0a0820 1f2a6a c0705a",
)


def stars(c: Canvas) -> None:
    """Night sky full of stars, with the Milky Way over dark land."""
    top, middle, low = palette(pick(c.rng, NIGHTS))
    c.backdrop([(0, top), (0.55, middle), (1, low)])
    angle, shift = c.between(0.4, 2.7), c.between(-0.2, 0.2)
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, 96), np.linspace(-0.5, 0.5, 96))
    across = u * math.sin(angle) - v * math.cos(angle) + shift
    cloud = fractal(c.rng, cells=(3, 3), gain=0.6)
    band = np.exp(-(((across + 0.12 * (cloud - 0.5)) / c.between(0.09, 0.16)) ** 2))
    rift = np.exp(-(((across + 0.25 * (cloud - 0.55)) / 0.035) ** 2))
    glow = hsv(c.between(0.5, 0.95), 0.35, 0.95)
    c.veil(band * (0.25 + 0.6 * cloud), mix(glow, middle, 0.35))
    c.veil(band**3 * smooth(0.45, 0.9, cloud) * 0.75, lighter(glow, 0.6))
    c.veil(rift * smooth(0.3, 0.7, 1 - cloud) * 0.75, darker(top, 0.3))
    n = int(c.rng.integers(260, 480))
    spots = c.rng.random((n, 2)) * (c.w, c.h)
    sizes = 0.0011 + 0.0026 * c.rng.random(n) ** 4
    tones = [
        rgb("ffffff"),
        rgb("cfe0ff"),
        rgb("fff0d0"),
        mix(glow, rgb("ffffff"), 0.5),
        mix(middle, rgb("ffffff"), 0.5),
    ]
    c.dots(spots, sizes, tones)
    for _ in range(int(c.rng.integers(5, 14))):
        x, y, r = c.between(0, c.w), c.between(0, c.h * 0.85), c.between(0.012, 0.03)
        c.soft(x, y, r, colour=pick(c.rng, tones), alpha=0.9, light=True)
        c.soft(x, y, r * 1.5, 0.003, colour=rgb("ffffff"), alpha=0.8, light=True)
        c.soft(x, y, 0.003, r * 1.5, colour=rgb("ffffff"), alpha=0.8, light=True)
    if c.chance(0.3):
        x, y, reach = c.between(0.2, 0.7) * c.w, c.between(0.08, 0.35) * c.h, c.between(0.12, 0.25)
        trail = place(
            [(0, -0.002), (1, -0.012), (1.02, 0), (1, 0.012), (0, 0.002)], x, y, reach, c.between(0.2, 0.9)
        )
        c.shape(trail, linear(mix(middle, rgb("ffffff"), 0.3), rgb("ffffff"), 0.0), alpha=0.9, blur=0.001)
    _night_land(c, darker(top, 0.3), middle)


def _night_land(c: Canvas, black: Colour, middle: Colour) -> None:
    """Dark hills, with pines, a lone tree or a tent."""
    if c.chance(0.15):
        return
    ground = c.h * c.between(0.82, 0.95)
    c.shape(ridge(c, ground - 0.05, 0.05, cells=4, gain=0.5), mix(black, middle, 0.35))
    front = ridge(c, ground, 0.025, cells=3)
    kind = int(c.rng.integers(4))
    if kind == 0:
        for x in c.rng.random(14) * c.w:
            pine(
                c,
                float(x),
                float(np.interp(x, front[:96, 0], front[:96, 1])) + 0.03,
                c.between(0.08, 0.2),
                black,
            )
    elif kind == 1:
        tree(c, c.between(0.2, 0.8) * c.w, ground + 0.02, c.between(0.22, 0.35), black)
    elif kind == 2:
        x = c.between(0.25, 0.75) * c.w
        c.soft(x, ground, 0.2, 0.12, colour=rgb("ffb060"), alpha=0.5, light=True)
        c.shape(
            np.array([(x - 0.09, ground + 0.02), (x, ground - 0.1), (x + 0.09, ground + 0.02)]),
            linear(rgb("ffcf7a"), rgb("d8783a")),
        )
        c.shape(
            np.array([(x - 0.02, ground + 0.02), (x, ground - 0.1), (x + 0.025, ground + 0.02)]),
            rgb("8a4a2a"),
        )
    c.shape(front, linear(black, darker(black, 0.5)))


def fireworks(c: Canvas) -> None:
    """Bursts over dark water or roofs."""
    top, middle, low = palette(pick(c.rng, NIGHTS))
    c.backdrop([(0, darker(top, 0.2)), (0.7, mix(top, middle, 0.6)), (1, mix(middle, low, 0.4))])
    smoke = fractal(c.rng, 48, 48, cells=(3, 3))
    c.veil(smooth(0.5, 1.0, smoke) * 0.35, mix(middle, low, 0.6))
    count = int(c.rng.integers(2, 6))
    hue = c.between(0, 1)
    for k in range(count):
        x, y = c.w * c.between(0.15, 0.85), c.h * c.between(0.14, 0.55)
        r = c.side * (c.between(0.26, 0.42) if k == 0 else c.between(0.12, 0.26))
        _burst(c, x, y, r, hsv(hue + k * c.between(0.1, 0.35), c.between(0.45, 0.85), 1.0))
        if c.chance(0.5):
            tail = np.array([(x, y), (x + c.between(-0.02, 0.02), y + r), (x + c.between(-0.05, 0.05), c.h)])
            c.stroke(tail, rgb("ffdf9a"), 0.004, alpha=0.35)
    level = c.h * c.between(0.82, 0.92)
    black = darker(top, 0.25)
    if c.chance(0.5):
        c.mirror(level, c.h - level, black, 0.35)
        c.shape(ridge(c, level - 0.01, 0.015, cells=6)[:96], black)
        for _ in range(20):
            c.soft(
                c.between(0, c.w),
                c.between(level, c.h),
                c.between(0.03, 0.12),
                0.003,
                colour=middle,
                alpha=0.6,
            )
    else:
        x = -0.02
        while x < c.w:
            wide, tall = c.between(0.03, 0.09), c.between(0.01, 0.09)
            c.shape(box(x, level - tall, x + wide + 0.002, c.h + 0.01), black)
            x += wide
    if c.chance(0.35):
        for x in c.rng.random(12) * c.w:
            c.dots(np.array([[x, c.h - 0.025]]), np.array([c.between(0.018, 0.026)]), [darker(black, 0.5)])
            c.soft(float(x), c.h + 0.02, 0.05, 0.05, colour=darker(black, 0.5))


def _burst(c: Canvas, x: float, y: float, r: float, colour: Colour) -> None:
    """One shell: streaks that fall a little, with bright heads."""
    c.soft(x, y, r * 1.6, colour=colour, alpha=0.4, light=True)
    second = pick(c.rng, (colour, rgb("fff2c8"), hsv(c.between(0, 1), 0.5, 1.0)))
    rays = int(c.rng.integers(26, 54))
    willow = c.chance(0.3)
    sag = 0.35 if willow else 0.1
    t = np.linspace(0.12, 1, 6)
    heads = []
    for turn in np.linspace(0, 2 * math.pi, rays, endpoint=False) + c.rng.normal(0, 0.05, rays):
        reach = r * c.between(0.55, 1.0)
        line = np.stack(
            [x + reach * t * math.cos(turn), y + reach * t * math.sin(turn) + sag * r * t * t], axis=1
        )
        for k in range(5):
            c.stroke(
                line[k : k + 2], mix(darker(colour, 0.55), lighter(colour, 0.35), k / 4), 0.0022 + 0.0008 * k
            )
        heads.append(line[-1])
    c.dots(np.array(heads), c.rng.uniform(0.003, 0.0065, rays), [lighter(second, 0.5), second])
    sparks = c.rng.normal(0, 0.45, (rays, 2)) * r + (x, y + sag * r * 0.3)
    c.dots(sparks, c.rng.uniform(0.0012, 0.003, rays), [lighter(second, 0.3), lighter(colour, 0.6)])
    c.soft(x, y, r * 0.4, colour=lighter(colour, 0.7), alpha=0.8, light=True)
