"""Colours, noise and outlines that every scene is made of.

Lengths are in units of the picture's longest side, angles in radians, y points down. Noise is made on
small fixed grids and enlarged by Pillow, so that a picture has the same content at every size.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.random import Generator
from PIL import Image

Colour: TypeAlias = tuple[int, int, int]
Points: TypeAlias = np.ndarray
Outline: TypeAlias = np.ndarray | Sequence[tuple[float, float]]
Gradient: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Maps u and v (each 0..1 over a shape's bounding box) to colours, shape (..., 3)."""
T = TypeVar("T")


def rgb(code: str) -> Colour:
    """Colour of a hex code.

    Examples
    --------
    >>> rgb("ff8000")
    (255, 128, 0)
    """
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def palette(codes: str) -> list[Colour]:
    """Colours of hex codes that spaces separate."""
    return [rgb(code) for code in codes.split()]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Colour of a hue (any float, one turn is 1), a saturation and a value (0..1).

    Examples
    --------
    >>> hsv(1.0, 1.0, 1.0)
    (255, 0, 0)
    """
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend of two colours; `share` 0 gives the first, 1 the second.

    Examples
    --------
    >>> mix((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    (r, g, b), (to_r, to_g, to_b) = first, second
    return round(r + (to_r - r) * share), round(g + (to_g - g) * share), round(b + (to_b - b) * share)


def tint(colour: Colour, filter_colour: Colour) -> Colour:
    """Colour seen under coloured light (channel-wise product)."""
    (r, g, b), (keep_r, keep_g, keep_b) = colour, filter_colour
    return round(r * keep_r / 255), round(g * keep_g / 255), round(b * keep_b / 255)


def lighter(colour: Colour, share: float) -> Colour:
    """Blend towards a warm white."""
    return mix(colour, (255, 250, 240), share)


def darker(colour: Colour, share: float) -> Colour:
    """Blend towards a cool black: shadows of flat colours look dirty when they only lose brightness."""
    return mix(colour, (18, 14, 40), share)


def pick(rng: Generator, options: Sequence[T]) -> T:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def _between(start: Colour, end: Colour, share: np.ndarray) -> np.ndarray:
    """Blends of two colours for an array of shares, shape (..., 3)."""
    first, last = np.asarray(start, float), np.asarray(end, float)
    return np.asarray(first + share[..., None] * (last - first))


def linear(start: Colour, end: Colour, angle: float = math.pi / 2) -> Gradient:
    """Gradient along a direction; the default runs from top to bottom."""
    dx, dy = math.cos(angle), math.sin(angle)
    reach = abs(dx) + abs(dy)

    def colours(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        share = ((u - 0.5) * dx + (v - 0.5) * dy) / reach + 0.5
        return _between(start, end, share)

    return colours


def radial(
    centre: Colour, rim: Colour, at: tuple[float, float] = (0.35, 0.3), reach: float = 0.85
) -> Gradient:
    """Gradient around a highlight: what makes a disc a ball."""

    def colours(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        share = np.clip(np.hypot(u - at[0], v - at[1]) / reach, 0, 1) ** 1.5
        return _between(centre, rim, share)

    return colours


def steps(*stops: tuple[float, Colour], angle: float = math.pi / 2) -> Gradient:
    """Gradient through several colours along a direction."""
    at = [stop[0] for stop in stops]
    channels = np.array([stop[1] for stop in stops], float)
    dx, dy = math.cos(angle), math.sin(angle)

    def colours(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        share = ((u - 0.5) * dx + (v - 0.5) * dy) / (abs(dx) + abs(dy)) + 0.5
        return np.stack([np.interp(share, at, channels[:, k]) for k in range(3)], axis=-1)

    return colours


def enlarge(grid: np.ndarray, width: int, height: int) -> np.ndarray:
    """Smoothly resize a float grid (h, w) to (height, width)."""
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def fractal(
    rng: Generator, width: int = 96, height: int = 96, *, cells: tuple[int, int] = (4, 4), gain: float = 0.5
) -> np.ndarray:
    """Fractal value noise, shape (height, width), float32, stretched to 0..1.

    Octaves double from `cells` (across, down) until they reach the grid; each has `gain` times the
    strength of the one before.
    """
    total = np.zeros((height, width), np.float32)
    across, down = cells
    strength = 1.0
    while across <= width and down <= height:
        total += strength * enlarge(rng.random((down, across), dtype=np.float32), width, height)
        across, down, strength = across * 2, down * 2, strength * gain
    low, high = float(total.min()), float(total.max())
    return np.asarray((total - low) / (high - low))


def fractal_line(rng: Generator, n: int = 128, *, cells: int = 4, gain: float = 0.5) -> np.ndarray:
    """Fractal noise along a line, shape (n,), about -1..1: ridges, shores, waves."""
    at = np.linspace(0, 1, n)
    total = np.zeros(n)
    strength = 1.0
    while cells <= n // 2:
        total += strength * np.interp(at, np.linspace(0, 1, cells + 1), rng.uniform(-1, 1, cells + 1))
        cells, strength = cells * 2, strength * gain
    return total / max(1e-9, float(np.abs(total).max()))


def smooth(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """Smoothstep: 0 below `low`, 1 above `high`, an S between."""
    share = np.clip((value - low) / (high - low), 0, 1)  # works downwards too: high may be below low
    return np.asarray(share * share * (3 - 2 * share))


def spline(points: Outline, *, closed: bool = True, steps: int = 8) -> Points:
    """Catmull-Rom curve through control points, shape (n, 2)."""
    control = np.asarray(points, float)
    if closed:
        around = np.concatenate([control[-1:], control, control[:2]])
    else:
        around = np.concatenate([control[:1], control, control[-1:]])
    a, b, c, d = around[:-3, None], around[1:-2, None], around[2:-1, None], around[3:, None]
    t = np.linspace(0, 1, steps, endpoint=not closed)[None, :, None]
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    return np.asarray(curve.reshape(-1, 2))


def ellipse(cx: float, cy: float, rx: float, ry: float | None = None, n: int = 56) -> Points:
    """Outline of an ellipse (a circle without `ry`)."""
    turn = np.linspace(0, 2 * math.pi, n, endpoint=False)
    return np.stack([cx + rx * np.cos(turn), cy + (rx if ry is None else ry) * np.sin(turn)], axis=1)


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, n: int = 40) -> Points:
    """Part of an ellipse from one angle to another, as an open line."""
    turn = np.linspace(start, end, n)
    return np.stack([cx + rx * np.cos(turn), cy + ry * np.sin(turn)], axis=1)


def box(x0: float, y0: float, x1: float, y1: float) -> Points:
    """Corners of an upright rectangle."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def rounded(x0: float, y0: float, x1: float, y1: float, radius: float) -> Points:
    """Outline of a rectangle with round corners."""
    corners = [(x1, y1, 0), (x0, y1, 1), (x0, y0, 2), (x1, y0, 3)]
    parts = []
    for x, y, quarter in corners:
        cx = x0 + radius if x == x0 else x1 - radius
        cy = y0 + radius if y == y0 else y1 - radius
        start = quarter * math.pi / 2
        parts.append(arc(cx, cy, radius, radius, start, start + math.pi / 2, 7))
    return np.concatenate(parts)


def place(points: Outline, x: float, y: float, scale: float = 1.0, angle: float = 0.0) -> Points:
    """Scale and turn an outline about its origin, then move it."""
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    return np.asarray(np.asarray(points, float) @ np.array([[cos, sin], [-sin, cos]]) + (x, y))


def mirrored(points: Sequence[tuple[float, float]] | Points) -> Points:
    """Outline whose right half is given from top to bottom, closed by its mirror image."""
    half = np.asarray(points, float)
    return np.concatenate([half, half[::-1] * (-1, 1)])
