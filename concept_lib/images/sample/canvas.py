"""A picture in the making: shapes, soft light and noise on an oversampled Pillow image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from concept_lib.images.sample.paint import Colour, Gradient, Outline, Points, pick

ASPECTS = ((1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.75), (0.75, 1.0))
GRADIENT_CELLS = 16
GRAIN = 1.8  # standard deviation, grey levels: hides banding, and reads as paper


@cache
def _falloff(strength: int = 255) -> Image.Image:
    """Soft disc: `strength` in the middle, black from the inscribed circle on."""
    axis = np.linspace(-1, 1, 65)
    near = np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1)
    return Image.fromarray((strength * near * near * (3 - 2 * near)).round().astype(np.uint8))


@cache
def _corners(strength: float) -> Image.Image:
    """Darkness of the corners."""
    axis = np.linspace(-0.82, 0.82, 33) ** 2
    near = np.clip(1 - np.sqrt(axis[:, None] + axis[None, :]), 0, 1)
    far = 1 - near * near * (3 - 2 * near)
    return Image.fromarray((255 * strength * far * far).round().astype(np.uint8))


@cache
def _grain() -> np.ndarray:
    """Tile of film grain, int16 (512, 512, 1)."""
    noise = np.random.default_rng(1).normal(0, GRAIN, (512, 512, 1))
    return noise.round().astype(np.int16)


class Canvas:
    """Picture with unit coordinates: the longest side is 1, the origin is top left.

    Parameters
    ----------
    rng
        Source of everything random in the picture; chooses the aspect ratio first.
    size
        Longest side of the finished picture, pixels.
    """

    def __init__(self, rng: Generator, size: int) -> None:
        self.rng = rng
        self.w, self.h = pick(rng, ASPECTS)
        self.size = max(1, round(size * self.w)), max(1, round(size * self.h))
        over = 2 if size > 112 else 3
        self.px = float(size * over)
        self.image = Image.new("RGB", (self.size[0] * over, self.size[1] * over))
        self.pen = ImageDraw.Draw(self.image)

    @property
    def side(self) -> float:
        """Shorter side, in units."""
        return min(self.w, self.h)

    def between(self, low: float, high: float) -> float:
        """Random number, uniform."""
        return float(self.rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True for this share of the pictures."""
        return bool(self.rng.random() < share)

    def backdrop(
        self, stops: Sequence[tuple[float, Colour]], top: float = 0.0, bottom: float | None = None
    ) -> None:
        """Fill a horizontal strip with a vertical gradient; stops are at 0..1 of the strip."""
        first, last = round(top * self.px), round((self.h if bottom is None else bottom) * self.px)
        if last <= first:
            return
        share = np.linspace(0, 1, last - first)
        at = [stop[0] for stop in stops]
        columns = [np.interp(share, at, [stop[1][k] for stop in stops]) for k in range(3)]
        column = Image.fromarray(np.stack(columns, axis=-1).round().astype(np.uint8)[:, None])
        strip = column.resize((self.image.width, last - first), Image.Resampling.NEAREST)
        self.image.paste(strip, (0, first))

    def shape(
        self,
        points: Outline,
        paint: Colour | Gradient,
        *,
        alpha: float = 1.0,
        blur: float = 0.0,
    ) -> None:
        """Fill an outline with a colour or a gradient; `blur` softens the edge (units)."""
        if isinstance(paint, tuple) and alpha >= 1 and blur == 0:
            self.pen.polygon((np.asarray(points) * self.px).ravel().tolist(), fill=paint)
            return
        pixels = np.asarray(points) * self.px
        pad = 2.5 * blur * self.px
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        area = self._clip(low[0] - pad, low[1] - pad, high[0] + pad, high[1] + pad)
        if area is None:
            return
        mask = Image.new("L", (area[2] - area[0], area[3] - area[1]))
        ImageDraw.Draw(mask).polygon((pixels - area[:2]).ravel().tolist(), fill=round(255 * alpha))
        if blur > 0:
            mask = _blurred(mask, blur * self.px)
        if isinstance(paint, tuple):
            self.image.paste(paint, area, mask)
        else:
            self.image.paste(_gradient_image(paint, low, high, area), area, mask)

    def stroke(
        self,
        points: Outline,
        colour: Colour,
        width: float,
        *,
        alpha: float = 1.0,
    ) -> None:
        """Draw a line with round joints; `width` in units."""
        wide = max(1, round(width * self.px))
        pixels = np.asarray(points) * self.px
        if alpha >= 1:
            self.pen.line(pixels.ravel().tolist(), fill=colour, width=wide, joint="curve")
            return
        low, high = pixels.min(axis=0) - wide, pixels.max(axis=0) + wide
        area = self._clip(low[0], low[1], high[0], high[1])
        if area is None:
            return
        mask = Image.new("L", (area[2] - area[0], area[3] - area[1]))
        line = (pixels - area[:2]).ravel().tolist()
        ImageDraw.Draw(mask).line(line, fill=round(255 * alpha), width=wide, joint="curve")
        self.image.paste(colour, area, mask)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw one small disc."""
        r = max(0.6, radius * self.px)
        self.pen.ellipse((x * self.px - r, y * self.px - r, x * self.px + r, y * self.px + r), fill=colour)

    def dots(self, points: Points, radii: np.ndarray, colours: Sequence[Colour]) -> None:
        """Draw small discs; colours repeat when there are fewer than points."""
        for k, ((x, y), radius) in enumerate(zip(points.tolist(), radii.tolist(), strict=True)):
            self.dot(x, y, radius, colours[k % len(colours)])

    def soft(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        *,
        colour: Colour,
        alpha: float = 1.0,
        light: bool = False,
    ) -> None:
        """Soft round blot: a shadow, a haze; with `light` it brightens what is there, as a glow does."""
        low = np.array([x - rx, y - (rx if ry is None else ry)]) * self.px
        high = np.array([x + rx, y + (rx if ry is None else ry)]) * self.px
        area = self._clip(low[0], low[1], high[0], high[1])
        if area is None:
            return
        mask = _cut(_falloff(round(255 * alpha)), low, high, area)
        if light:
            under = self.image.crop(area)
            self.image.paste(ImageChops.screen(under, Image.new("RGB", under.size, colour)), area, mask)
        else:
            self.image.paste(colour, area, mask)

    def veil(
        self, cover: np.ndarray, colour: Colour | np.ndarray, top: float = 0.0, bottom: float | None = None
    ) -> None:
        """Lay a colour over a horizontal strip, as thick as a grid (h, w) of 0..1 says: clouds, texture.

        The colour may change from place to place: a grid (h, w, 3) of 0..255.
        """
        first, last = round(top * self.px), round((self.h if bottom is None else bottom) * self.px)
        area = self._clip(0, first, self.image.width, last)
        if area is None:
            return
        low, high = np.array([0, first]), np.array([self.image.width, last])
        grid = Image.fromarray((np.clip(cover, 0, 1) * 255).astype(np.uint8))
        mask = _cut(grid, low, high, area, Image.Resampling.BICUBIC)
        if isinstance(colour, tuple):
            self.image.paste(colour, area, mask)
        else:
            tones = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
            self.image.paste(_cut(tones, low, high, area), area, mask)

    def mirror(self, level: float, depth: float, colour: Colour, alpha: float) -> None:
        """Reflect what stands above a water level into it, compressed to `depth` and veiled by a colour."""
        y, tall = round(level * self.px), round(depth * self.px)
        up = min(y, round(tall * 1.25))
        if tall < 2 or up < 2:
            return
        above = self.image.crop((0, y - up, self.image.width, y)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        above = above.resize((self.image.width, tall), Image.Resampling.BILINEAR)
        self.image.paste(Image.blend(above, Image.new("RGB", above.size, colour), alpha), (0, y))

    def finish(self, vignette: float = 0.16) -> Image.Image:
        """Scale down to the asked size, darken the corners a little and add grain."""
        small = self.image.resize(self.size, Image.Resampling.HAMMING)
        small.paste((16, 10, 36), (0, 0), _corners(vignette).resize(small.size, Image.Resampling.BILINEAR))
        row, column = (int(v) for v in self.rng.integers(0, 128, 2))
        pixels = np.asarray(small, np.int16)
        height, width = pixels.shape[:2]
        repeats = (row + height) // 512 + 1, (column + width) // 512 + 1, 1
        tile = np.tile(_grain(), repeats) if max(repeats) > 1 else _grain()
        tile = tile[row : row + height, column : column + width]
        return Image.fromarray(np.clip(pixels + tile, 0, 255).astype(np.uint8))

    def _clip(self, x0: float, y0: float, x1: float, y1: float) -> tuple[int, int, int, int] | None:
        """Whole pixels of an area that lie in the picture; None when there are none."""
        left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
        right, bottom = min(self.image.width, math.ceil(x1) + 1), min(self.image.height, math.ceil(y1) + 1)
        return (left, top, right, bottom) if right > left and bottom > top else None


def _cut(
    grid: Image.Image,
    low: np.ndarray,
    high: np.ndarray,
    area: tuple[int, int, int, int],
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Image.Image:
    """Stretch a small image over low..high (pixels), and keep the part in `area`."""
    span = np.maximum(high - low, 1e-6)
    cells = np.array(grid.size)
    start = np.clip((np.array(area[:2]) - low) / span, 0, 1) * (cells - 1) + 0.5
    end = np.clip((np.array(area[2:]) - low) / span, 0, 1) * (cells - 1) + 0.5
    end = np.minimum(np.maximum(end, start + 1e-3), cells)
    window = (float(start[0]), float(start[1]), float(end[0]), float(end[1]))
    return grid.resize((area[2] - area[0], area[3] - area[1]), resample, box=window)


def _gradient_image(
    gradient: Gradient, low: np.ndarray, high: np.ndarray, area: tuple[int, int, int, int]
) -> Image.Image:
    """Render a gradient over low..high (pixels), and keep the part in `area`."""
    axis = np.linspace(0, 1, GRADIENT_CELLS)
    u, v = np.meshgrid(axis, axis)
    grid = np.clip(gradient(u, v), 0, 255).round().astype(np.uint8)
    return _cut(Image.fromarray(grid), low, high, area)


def _blurred(mask: Image.Image, radius: float) -> Image.Image:
    """Gaussian blur; a wide one is done on a reduced mask."""
    factor = max(1, min(int(radius / 2), *mask.size))
    small = mask.reduce(factor) if factor > 1 else mask
    small = small.filter(ImageFilter.GaussianBlur(radius / factor))
    return small.resize(mask.size, Image.Resampling.BILINEAR) if factor > 1 else small
