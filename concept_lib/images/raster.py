"""One picture from bytes to a thumbnail and pixels, whatever its format or orientation.

Runs in the decoding processes: it imports Pillow, NumPy and the standard library alone.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from concept_lib.images.files import UnusableError
from concept_lib.images.modes import to_rgb

FORMATS = tuple(
    str(reader.format)
    for reader in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
)
"""What is decoded. No other plugin of Pillow is tried, so no EPS ever reaches Ghostscript."""

THUMBNAIL_SIDE = 256
THUMBNAIL_QUALITY = 88
MAX_ASPECT = 4  # a longer picture is cut to its middle: an encoder sees only that

# What Pillow raises on broken data. Anything else ends the process, and the process is replaced.
_PICTURE_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_LARGE = 16_000_000  # pixels; a decoder may hold 16 bytes for each
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_SIDEWAYS = 5  # from this orientation on, width and height change places


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture: its format, its size as it is looked at, and what outputs are made from.

    `image` is in mode ``RGB`` or ``L``, no smaller than the outputs need, and not turned yet.
    """

    format: str
    width: int
    height: int
    image: Image.Image
    orientation: int

    def upright(self, image: Image.Image) -> Image.Image:
        """Turn what was made of `image` as EXIF says; RGB, without metadata."""
        turn = _TURNS.get(self.orientation)
        turned = image.convert("RGB") if turn is None else image.convert("RGB").transpose(turn)
        turned.info.clear()
        return turned


def prepare_process(max_pixels: int) -> None:
    """Set up Pillow for a process that does nothing else."""
    Image.MAX_IMAGE_PIXELS = max_pixels  # some plugins check sizes of their own by it
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the pool has a process a core


def decode(
    data: bytes,
    *,
    max_pixels: int,
    thumbnail: bool,
    pixel_size: int | None,
    await_turn: Callable[[], None] = lambda: None,
) -> Picture:
    """Decode the first frame.

    A JPEG is decoded at the smallest of libjpeg's scales (1/8 to 1) that is at least twice as large as
    what will be made of it, which is several times faster than decoding it whole.

    Parameters
    ----------
    data
        The file's bytes.
    max_pixels
        Limit on width x height, judged from the header before anything is decoded.
    thumbnail, pixel_size
        What will be made of it, see `thumbnail_jpeg` and `pixel_array`.
    await_turn
        Called before a picture is decoded that takes a lot of memory.

    Raises
    ------
    UnusableError
        The data is no picture of a format in `FORMATS`, is broken or cut off, or over the limit.
    MemoryError
        The process may not have the memory that it takes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _decode(data, max_pixels, thumbnail, pixel_size, await_turn)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(max_pixels) from None
    except UnidentifiedImageError:
        names = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise UnusableError("failed", f"not a readable {names} file") from None
    except _PICTURE_ERRORS as error:
        if "out of memory" in str(error):
            raise MemoryError from None
        raise UnusableError("failed", _describe(error)) from None


def _decode(
    data: bytes, max_pixels: int, thumbnail: bool, pixel_size: int | None, await_turn: Callable[[], None]
) -> Picture:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    width, height = image.size
    if width * height > max_pixels:
        raise _too_many_pixels(max_pixels)
    scale = _scale(width, height, thumbnail, pixel_size)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and scale < 0.5:
        image.draft(None, (math.ceil(2 * scale * width), math.ceil(2 * scale * height)))
    if image.width * image.height > _LARGE or (width * height > _LARGE and "progressive" in image.info):
        await_turn()
    image.load()
    orientation = _orientation(image)
    if orientation >= _FIRST_SIDEWAYS:
        width, height = height, width
    name = "JPEG" if image.format == "MPO" else str(image.format)
    return Picture(name, width, height, to_rgb(image, scale), orientation)


def picture_of(image: Image.Image) -> Picture:
    """A picture that is in memory already, such as a notebook's, as if it had been decoded.

    Raises
    ------
    UnusableError
        Pillow cannot read its pixels, or there are none.
    """
    if not min(image.size):
        raise UnusableError("failed", "has no pixels")
    try:
        image.load()
        orientation = _orientation(image)
        width, height = image.size[::-1] if orientation >= _FIRST_SIDEWAYS else image.size
        return Picture(image.format or "memory", width, height, to_rgb(image, 1.0), orientation)
    except _PICTURE_ERRORS as error:
        raise UnusableError("failed", _describe(error)) from None


def _scale(width: int, height: int, thumbnail: bool, pixel_size: int | None) -> float:
    """The largest scale at which the picture may be used; 1 where it is only checked.

    Pixels must not depend on whether a thumbnail is made of the same decoding, so they are made as if it were.
    """
    if not thumbnail and pixel_size is None:
        return 1.0
    scale = THUMBNAIL_SIDE / max(width, height)
    return scale if pixel_size is None else max(scale, pixel_size / min(width, height))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; a picture whose metadata is broken is taken as it stands."""
    try:
        value = image.getexif().get(_ORIENTATION)
        return value if value in _TURNS else 1
    except _PICTURE_ERRORS:
        return 1


def thumbnail_jpeg(picture: Picture) -> bytes:
    """JPEG of at most 256 pixels a side, aspect kept, never enlarged, without metadata."""
    image = picture.image
    scale = THUMBNAIL_SIDE / max(picture.width, picture.height)
    if max(image.size) > THUMBNAIL_SIDE:
        size = _oriented(picture, max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    picture.upright(image).save(buffer, "JPEG", quality=THUMBNAIL_QUALITY)
    return buffer.getvalue()


def pixel_array(picture: Picture, pixel_size: int) -> NDArray[np.uint8]:
    """RGB pixels for an encoder, scaled by the bicubic filter as CLIP's image processor does.

    Returns
    -------
    numpy.ndarray of uint8, shape (height, width, 3)
        The shorter side is `pixel_size`; the longer one is cut to its middle where it would pass four
        times that.
    """
    image = picture.image
    short, long = min(picture.width, picture.height), max(picture.width, picture.height)
    target_long = min(int(pixel_size * long / short), MAX_ASPECT * pixel_size)
    landscape = picture.width >= picture.height
    target = (target_long, pixel_size) if landscape else (pixel_size, target_long)
    box = _middle(*image.size)
    scaled = image.resize(_oriented(picture, *target), Image.Resampling.BICUBIC, box=box)
    pixels: NDArray[Any] = np.asarray(picture.upright(scaled))
    return pixels


def _oriented(picture: Picture, width: int, height: int) -> tuple[int, int]:
    """A size as it is looked at, in the axes of the stored picture."""
    return (height, width) if picture.orientation >= _FIRST_SIDEWAYS else (width, height)


def _middle(width: int, height: int) -> tuple[float, float, float, float]:
    """The middle of a picture, at most `MAX_ASPECT` times as long as wide."""
    half_width = min(width, MAX_ASPECT * height) / 2
    half_height = min(height, MAX_ASPECT * width) / 2
    return (
        width / 2 - half_width,
        height / 2 - half_height,
        width / 2 + half_width,
        height / 2 + half_height,
    )


def _too_many_pixels(max_pixels: int) -> UnusableError:
    return UnusableError("skipped", f"over the {max_pixels / 1e6:g} megapixel limit")


def _describe(error: Exception) -> str:
    """Pillow's complaint as one printable line."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    text = " ".join(text.split())[:120]
    if not isinstance(error, OSError | SyntaxError | ValueError):
        text = f"{type(error).__name__} {text}".strip()
    return f"cannot be decoded: {text}"
