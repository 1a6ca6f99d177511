"""City at night."""

from __future__ import annotations

import numpy as np
from PIL import Image

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    box,
    darker,
    ellipse,
    lighter,
    linear,
    mix,
    palette,
    pick,
    radial,
    rgb,
)

EVENINGS = (
    "0a0f2c 24306a d0708a",
    "06102a 12305a 4a90a8",
    "140a2e 4a2468 f08a6a",
    "080a18 1a2036 4a4a68",
    "101a3a 3a3f7a f5b070",
    "0c1040 4a3f9a f0a0b0",
    "061828 0f4a5a 7ac0a0",
)


def city(c: Canvas) -> None:
    """Towers with lit windows at night."""
    top, middle, low = palette(pick(c.rng, EVENINGS))
    horizon = c.h * c.between(0.72, 0.9)
    c.backdrop([(0, top), (0.45, middle), (0.85, low), (1, low)], 0, horizon)
    pale = mix(middle, rgb("ffffff"), 0.6)
    c.dots(c.rng.random((40, 2)) * (c.w, c.h * 0.5), c.rng.uniform(0.0008, 0.002, 40), [pale])
    if c.chance(0.5):
        x, y, r = c.between(0.1, 0.9) * c.w, c.between(0.08, 0.3) * c.h, c.between(0.025, 0.06)
        c.soft(x, y, r * 5, colour=rgb("ffe8c0"), alpha=0.5, light=True)
        c.shape(ellipse(x, y, r), radial(rgb("fff8e4"), rgb("e8d4ae")))
    lamp = rgb(pick(c.rng, ("ffd880", "ffe6b0", "ffc870", "cfe8ff")))
    haze, fog = mix(low, lamp, 0.3), np.linspace(0, 0.4, 16)[:, None].repeat(4, axis=1)
    for depth, tall in ((0.65, 0.5), (0.35, 0.66), (0.0, 0.5)):
        wall = mix(darker(top, 0.1), mix(middle, low, 0.5), depth)
        _blocks(c, horizon, tall * c.between(0.75, 1.15) * c.h, wall, lamp, depth)
        c.veil(fog, haze, horizon - 0.2, horizon)
    if c.chance(0.6):
        c.mirror(horizon, c.h - horizon, darker(top, 0.1), 0.35)
        for _ in range(40):
            y = c.between(horizon, c.h)
            c.soft(c.between(0, c.w), y, c.between(0.02, 0.1), 0.003, colour=mix(middle, top, 0.5), alpha=0.6)
    else:
        _street(c, horizon, top, lamp)


def _blocks(c: Canvas, ground: float, tallest: float, wall: Colour, lamp: Colour, depth: float) -> None:
    """One row of towers."""
    x = c.between(-0.08, 0.0)
    while x < c.w:
        wide, tall = c.between(0.07, 0.16) * (1 - 0.35 * depth), tallest * c.between(0.35, 1.0) ** 1.2
        roof, middle = ground - tall, x + wide / 2
        crown = int(c.rng.integers(6))
        if crown == 0:
            c.stroke([(middle, roof), (middle, roof - tall * 0.25)], wall, 0.005)
            c.soft(middle, roof - tall * 0.25, 0.012, colour=rgb("ff5a4a"), light=True)
        elif crown == 1:
            c.shape([(x, roof + 0.002), (middle, roof - wide * 0.7), (x + wide, roof + 0.002)], wall)
        elif crown == 2:
            c.shape(box(x + wide * 0.2, roof - 0.04, x + wide * 0.8, roof + 0.002), wall)
        elif crown == 3:
            c.shape([(x, roof + 0.002), (x + wide, roof - wide * 0.5), (x + wide, roof + 0.002)], wall)
        c.shape(box(x, roof, x + wide, ground), linear(lighter(wall, 0.1), darker(wall, 0.1), 0.0))
        if tall > 0.05:
            _windows(
                c,
                box(x + wide * 0.08, roof + 0.012, x + wide * 0.92, ground - 0.018),
                wall,
                lamp,
                0.8 - 0.6 * depth,
            )
        x += wide * c.between(0.85, 1.25)


def _windows(c: Canvas, front: Points, wall: Colour, lamp: Colour, strength: float) -> None:
    """Grid of windows, some of them lit, drawn on a tiny picture that is enlarged."""
    wide, tall = (front[2] - front[0]).tolist()
    columns, rows = max(2, round(wide / 0.0175)), max(3, round(tall / 0.025))
    lit = c.rng.random((rows, columns, 1)) < c.between(0.25, 0.7)
    warm = 0.7 + 0.3 * c.rng.random((rows, columns, 1))
    tones = np.asarray(lamp) * warm * strength + np.asarray(wall) * (1 - strength)
    panes = np.where(lit, tones, np.asarray(lighter(wall, 0.06)))
    open_part = np.kron(np.ones((rows, columns)), np.pad(np.ones((2, 2)), 1))[..., None]
    pattern = np.where(open_part, panes.repeat(4, axis=0).repeat(4, axis=1), np.asarray(wall))
    picture = Image.fromarray(np.clip(pattern, 0, 255).astype(np.uint8))
    size = max(1, round(wide * c.px)), max(1, round(tall * c.px))
    corner = round(front[0, 0] * c.px), round(front[0, 1] * c.px)
    c.image.paste(picture.resize(size, Image.Resampling.BILINEAR), corner)


def _street(c: Canvas, ground: float, dark: Colour, lamp: Colour) -> None:
    """Road with lamps and trails of light."""
    c.shape(box(-0.01, ground, c.w + 0.01, c.h + 0.01), linear(mix(dark, lamp, 0.16), darker(dark, 0.3)))
    for k in range(6):
        y = ground + (c.h - ground) * c.between(0.2, 0.95)
        x, reach = c.between(-0.2, c.w), c.between(0.2, 0.6)
        c.soft(x, y, reach, 0.007, colour=rgb("ff5a48") if k % 2 else rgb("fff0c0"), alpha=0.9, light=True)
    for x in np.arange(c.between(0.0, 0.15), c.w, 0.16):
        c.stroke(np.array([(x, ground + 0.03), (x, ground - 0.06)]), darker(dark, 0.4), 0.005)
        c.soft(float(x), ground - 0.062, 0.05, colour=lamp, alpha=0.9, light=True)
