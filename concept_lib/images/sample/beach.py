"""By the sea: beach, and the water that other scenes share."""

from __future__ import annotations

import math

import numpy as np

from concept_lib.images.sample.canvas import Canvas
from concept_lib.images.sample.nature import Light, clouds, glitter, light, puffs, sea, sky, sun, texture
from concept_lib.images.sample.paint import (
    Colour,
    Points,
    darker,
    ellipse,
    fractal_line,
    hsv,
    lighter,
    linear,
    pick,
    place,
    rgb,
    spline,
)

SEAS = (("1c6fa8", "3fb8c4"), ("155a8a", "2f93b8"), ("117a8b", "5fd0c5"), ("24507a", "4a86a8"))


def water(c: Canvas) -> tuple[Colour, Colour]:
    """Far and near colour of a sea."""
    far, near = pick(c.rng, SEAS)
    return rgb(far), rgb(near)


def palm(c: Canvas, x: float, foot: float, height: float, lean: float, leaf: Colour) -> None:
    """Palm tree: a bent trunk and drooping fronds."""
    top = np.array([x + lean * height, foot - height])
    line = spline(
        [(x, foot), (x + lean * height * 0.25, foot - height * 0.55), (top[0], top[1])], closed=False
    )
    c.soft(x + 0.08, foot, 0.22, 0.025, colour=rgb("3a2a30"), alpha=0.6)
    width = np.linspace(0.045, 0.022, len(line))[:, None] * height * (1, 0)
    bark = linear(rgb("b08a60"), rgb("5d4330"), 0.0)
    c.shape(np.concatenate([line - width, (line + width)[::-1]]), bark)
    for k in range(1, len(line) - 1, 2):
        c.stroke(np.array([line[k] - width[k], line[k] + width[k]]), rgb("5d4330"), height * 0.008)
    for order, turn in enumerate(c.rng.permutation(np.linspace(-3.5, 0.36, 11))):
        _frond(c, top, height * c.between(0.36, 0.5), float(turn), darker(leaf, 0.38 - 0.04 * order))
    for dx in (-0.02, 0.025):
        c.dot(top[0] + dx * height, top[1] + 0.03 * height, 0.026 * height, rgb("6b4a2c"))
    for turn in np.linspace(-2.6, -0.5, 7):
        blade = (x + 0.07 * math.cos(turn), foot + 0.05 * math.sin(turn))
        c.shape(
            [(x - 0.012, foot + 0.006), blade, (x + 0.012, foot + 0.006)], darker(leaf, c.between(0.1, 0.4))
        )


def _frond(c: Canvas, root: Points, reach: float, turn: float, colour: Colour) -> None:
    """One frond: a spine that droops, with leaflets below it."""
    share = np.linspace(0, 1, 9)
    out, up = math.cos(turn) * reach, math.sin(turn) * reach
    spine = root + np.stack([out * share, up * share * 0.8 + reach * 0.55 * share**2.2], axis=1)
    wide = np.sin(np.linspace(0.25, 1, 9) * math.pi)[:, None] * reach
    leaflets = spine + wide * (0.03 * np.sign(out), 0.19)
    leaflets[1::2] += wide[1::2] * (0, -0.07)
    c.shape(np.concatenate([spine - wide * (0, 0.05), leaflets[::-1]]), colour)
    c.stroke(spine, lighter(colour, 0.25), reach * 0.02)


def beach(c: Canvas) -> None:
    """Sand, surf and sea under a bright sky."""
    day = light(c, "clear clear soft golden sunset dawn lagoon grey")
    horizon = c.h * c.between(0.26, 0.46)
    shore = horizon + (c.h - horizon) * c.between(0.3, 0.5)
    sky(c, day, horizon)
    if c.chance(0.7):
        clouds(c, day, horizon, c.between(0.2, 0.7))
    else:
        puffs(c, day, horizon, int(c.rng.integers(2, 4)))
    spot, shining = c.between(0.1, 0.9) * c.w, c.chance(0.5)
    if shining:
        sun(c, day, spot, horizon * c.between(0.3, 0.85), 0.03)
    far, near = water(c)
    sea(c, day, horizon, far, near)
    if shining and c.chance(0.6):
        glitter(c, day, spot, horizon, shore)
    if c.chance(0.4):
        side, tall = pick(c.rng, (0.0, c.w)), c.between(0.03, 0.1)
        land = [(-0.35, 0.004), (-0.1, -tall), (0.1, -tall * 0.8), (0.22, -tall * 0.2), (0.35, 0.004)]
        c.shape(place(spline(land), side, horizon), day.on(rgb("4d7a5c"), 0.4))
    sand = rgb(pick(c.rng, ("f0d9a8", "f8e6c4", "e8cc94", "f6dcc4")))
    _surf(c, day, shore, sand, near)
    texture(c, shore + 0.1, c.h, day.on(darker(sand, 0.3)), 0.28, cells=(24, 24))
    _beach_things(c, shore)
    if c.chance(0.55):
        left = c.chance(0.5)
        at = c.between(0.04, 0.22) if left else c.w - c.between(0.04, 0.22)
        lean = c.between(0.1, 0.35) * (1 if left else -1)
        foot = c.between(shore + 0.14, c.h + 0.02)
        palm(c, at, foot, c.between(0.5, 0.72) * c.h, lean, day.on(rgb("4a9a4a")))


def _surf(c: Canvas, day: Light, shore: float, sand: Colour, near: Colour) -> None:
    """Shallow water, foam, wet sand and dry sand along a winding edge."""
    x = np.linspace(-0.02, c.w + 0.02, 96)
    edge = shore + c.between(-0.14, 0.14) * (x - c.w / 2)
    edge += 0.035 * np.sin(x * c.between(4, 8) + c.between(0, 6)) + 0.008 * fractal_line(c.rng, 96, cells=8)
    corners = np.array([[c.w + 0.02, c.h + 0.02], [-0.02, c.h + 0.02]])
    dry, wet = day.on(sand), day.on(darker(sand, 0.32))
    shallow, foam = day.on(lighter(near, 0.45)), day.on(rgb("ffffff"))
    layers = ((-0.07, shallow, 0.5), (-0.045, shallow, 0.6), (-0.02, foam, 1.0), (0.0, wet, 1.0))
    for shift, colour, alpha in layers:
        wave = np.stack([x, edge + shift + 0.006 * fractal_line(c.rng, 96, cells=12)], axis=1)
        c.shape(np.concatenate([wave, corners]), colour, alpha=alpha)
    wave = np.stack([x, edge - 0.06 + 0.008 * fractal_line(c.rng, 96, cells=10)], axis=1)
    c.stroke(wave, foam, 0.006, alpha=0.6)
    wave = np.stack([x, edge + 0.045 + 0.004 * fractal_line(c.rng, 96, cells=6)], axis=1)
    c.shape(np.concatenate([wave, corners]), linear(lighter(dry, 0.15), darker(dry, 0.12)))


def _beach_things(c: Canvas, shore: float) -> None:
    """Towels, a ball, shells and starfish on the sand."""
    for _ in range(int(c.rng.integers(0, 3))):
        x, y = c.between(0.1, c.w - 0.1), c.between(shore + 0.14, c.h - 0.04)
        kind = int(c.rng.integers(3))
        if kind == 0:
            colour = hsv(c.between(0, 1), 0.65, 0.9)
            corners = np.array([(-0.09, -0.03), (0.06, -0.035), (0.09, 0.03), (-0.06, 0.035)])
            c.shape(place(corners, x + 0.005, y + 0.006), rgb("8a6a4a"), alpha=0.4, blur=0.004)
            c.shape(place(corners, x, y), colour)
            for at in (-0.05, 0.0, 0.05):
                stripe = np.array(
                    [(at - 0.012, -0.033), (at + 0.006, -0.033), (at + 0.03, 0.033), (at + 0.012, 0.033)]
                )
                c.shape(place(stripe, x, y, 0.95), lighter(colour, 0.75))
        elif kind == 1:
            turn = np.linspace(0, 2 * math.pi, 10, endpoint=False) + c.between(0, 1)
            radius = np.where(np.arange(10) % 2 == 0, 0.035, 0.014)[:, None]
            star = np.stack([np.cos(turn), np.sin(turn) * 0.7], axis=1) * radius
            c.soft(x, y + 0.008, 0.045, 0.03, colour=rgb("6f5238"), alpha=0.5)
            c.shape(place(spline(star, steps=4), x, y), linear(rgb("f58f5a"), rgb("c9543a")))
        else:
            c.soft(x + 0.02, y + 0.03, 0.06, 0.02, colour=rgb("6f5238"), alpha=0.6)
            hue = c.between(0, 1)
            for k, colour in enumerate((hsv(hue, 0.75, 0.95), rgb("fdf6ea"), hsv(hue + 0.4, 0.6, 0.9))):
                c.shape(ellipse(x, y, 0.036 * (1 - k * 0.36), 0.036), colour)
