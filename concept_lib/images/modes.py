"""Any of Pillow's pixel modes as 8-bit grey or RGB on white, without a second full-size copy.

Runs in the decoding processes: it imports Pillow, NumPy and the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_BAND_PIXELS = 1 << 22  # larger pictures are converted band by band: 4 Mpx are 16 MB a copy


def to_rgb(image: Image.Image, scale: float) -> Image.Image:
    """Convert to mode ``RGB`` (or leave ``L``, which resizes to the same greys).

    Transparent pixels are laid on white. 16-bit greys keep the full range, 0 to 65,535. Integers and
    floats without a range of their own are read by the narrowest customary one that holds them (0 to 1
    for floats, 0 to 255, 0 to 65,535), else stretched from their smallest to their largest value.

    Parameters
    ----------
    image
        A loaded picture.
    scale
        The scale at which it will be used. A picture of over 4 Mpx in another mode is reduced on the way
        by a whole factor, to no less than twice that scale.
    """
    if image.mode in ("RGB", "L") and not image.has_transparency_data:
        return image
    convert = _converter(image)
    if image.width * image.height <= _BAND_PIXELS:
        return convert(image)
    factor = max(1, int(0.5 / scale))
    small = Image.new("RGB", (math.ceil(image.width / factor), math.ceil(image.height / factor)))
    for top, band in _bands(image, factor):
        small.paste(convert(band).reduce(factor), (0, top // factor))
    return small


def _bands(image: Image.Image, multiple: int) -> Iterator[tuple[int, Image.Image]]:
    """Cut into strips of rows, each but the last a multiple high, with the row where each begins."""
    rows = max(1, _BAND_PIXELS // image.width // multiple) * multiple
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _converter(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    if image.mode.startswith("I;16"):
        return lambda band: _greys(band, 0, 65_535)
    if image.mode in ("I", "F"):
        low, high = _value_range(image)
        return lambda band: _greys(band, low, high)
    if image.has_transparency_data:
        return _on_white
    return lambda band: band.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    rgba = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(rgba, mask=rgba.getchannel("A"))
    return canvas


def _value_range(image: Image.Image) -> tuple[float, float]:
    """Values shown as black and as white."""
    low, high = math.inf, -math.inf
    for _, band in _bands(image, 1):
        values: NDArray[Any] = np.asarray(band)
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    customary = (1, 255, 65_535) if image.mode == "F" else (255, 65_535)
    for white in customary:
        if low >= 0 and high <= white:
            return 0.0, float(white)
    return low, high


def _greys(image: Image.Image, low: float, high: float) -> Image.Image:
    """Map `low` to black and `high` to white; what is no number is black."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=low, posinf=high, neginf=low)
    greys = np.rint((np.clip(values, low, high) - low) * (255.0 / max(high - low, 1e-300)))
    return Image.fromarray(greys.astype(np.uint8)).convert("RGB")
