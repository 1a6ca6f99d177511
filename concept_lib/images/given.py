"""Images that a program hands over: paths, Pillow images or arrays, side by side."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from PIL import Image

from concept_lib.images.decode import Decoded, DecodePool
from concept_lib.images.files import UnusableError
from concept_lib.images.raster import picture_of, pixel_array, thumbnail_jpeg

GivenImage: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray


def as_images(images: GivenImage | Iterable[GivenImage]) -> Sequence[GivenImage]:
    """A collection as it is, anything else that can be gone through as a list, a single image as a list of it.

    Examples
    --------
    >>> as_images("a.jpg"), as_images(iter(["a.jpg", "b.jpg"]))
    (['a.jpg'], ['a.jpg', 'b.jpg'])
    >>> len(as_images(np.zeros((8, 8, 3)))), len(as_images(np.zeros((5, 8, 8, 3))))
    (1, 5)
    """
    if isinstance(images, str | os.PathLike | Image.Image):
        return [images]
    if isinstance(images, np.ndarray) and images.dtype.kind in "uif" and images.ndim < 4:
        return [images]
    return images if isinstance(images, Sequence) else list(images)


@dataclass(frozen=True, slots=True)
class GivenImages:
    """Decodes images in the order in which they were handed over.

    It stands where a `DecodePool` does; a picture's "path" is its position, written as a number.

    Parameters
    ----------
    images
        Paths, Pillow images, or arrays: grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), uint8 or floats within 0..1.
    pool
        Decodes the files among them.

    Examples
    --------
    >>> with DecodePool(workers=1, max_file_bytes=1_000_000) as pool:
    ...     grey, missing = GivenImages([np.zeros((4, 8)), "none.jpg"], pool).map(
    ...         [b"0", b"1"], thumbnail=False, pixel_size=2
    ...     )
    >>> grey.pixels.shape, missing.reason
    ((2, 4, 3), 'cannot be read: No such file or directory')
    """

    images: Sequence[GivenImage]
    pool: DecodePool

    def map(self, paths: Iterable[bytes], *, thumbnail: bool, pixel_size: int | None) -> Iterator[Decoded]:
        """Decode the images at some positions; none has an image id."""
        rows = [int(path) for path in paths]
        files = (
            os.path.realpath(os.fsencode(image))
            for image in map(self.images.__getitem__, rows)
            if isinstance(image, str | os.PathLike)
        )
        decoded = self.pool.map(files, thumbnail=thumbnail, pixel_size=pixel_size)
        for row in rows:
            image = self.images[row]
            if isinstance(image, str | os.PathLike):
                yield replace(next(decoded), image_id=None)
            else:
                yield _from_memory(b"%d" % row, image, thumbnail, pixel_size)


def _from_memory(
    path: bytes, image: Image.Image | np.ndarray, thumbnail: bool, pixel_size: int | None
) -> Decoded:
    try:
        picture = picture_of(image if isinstance(image, Image.Image) else _from_array(image))
    except UnusableError as error:
        return Decoded(path, error.status, error.reason)
    return Decoded(
        path,
        "usable",
        None,
        format=picture.format,
        width=picture.width,
        height=picture.height,
        thumbnail=thumbnail_jpeg(picture) if thumbnail else None,
        pixels=None if pixel_size is None else pixel_array(picture, pixel_size),
    )


def _from_array(array: np.ndarray) -> Image.Image:
    """Pillow's image of an array of pixels."""
    if not isinstance(array, np.ndarray):
        raise UnusableError("failed", f"a {type(array).__name__} is no path, Pillow image or array")
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size:
        raise UnusableError("failed", f"an array of shape {array.shape} is no picture")
    if array.ndim == 3 and channels == 1:
        array = array[:, :, 0]
    if array.dtype.kind == "f":
        if not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise UnusableError("failed", "an array of floats takes values within 0 and 1")
        array = np.round(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise UnusableError("failed", f"an array of {array.dtype} is no picture; take uint8 or floats")
    return Image.fromarray(np.ascontiguousarray(array))
