"""Pixels that wait for the encoder, so that one decoding makes both a thumbnail and what is embedded."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from concept_lib.disk import free_bytes
from concept_lib.storage import write_file

MOST_BYTES = 8 << 30
FREE_SHARE = 4  # at most one part in so many of the free disk


class PixelStore:
    """Decoded pixels by content, on disk for the length of one run.

    What finds no room is not kept: its file is decoded a second time. Entered, it empties its folder of what a killed
    run left; left, it removes the folder.

    Parameters
    ----------
    folder
        Its own, on the disk of the home; one run at a time uses it.
    most_bytes
        Room for pixels; by default 8 GiB or a quarter of the free disk.

    Examples
    --------
    >>> import tempfile
    >>> with PixelStore(Path(tempfile.mkdtemp()) / "pixels") as store:
    ...     store.put("ab", np.zeros((2, 3, 3), np.uint8))
    ...     store.take("ab").shape, store.take("ab")
    ((2, 3, 3), None)
    """

    def __init__(self, folder: Path, *, most_bytes: int | None = None) -> None:
        self._folder = folder
        self._room = most_bytes
        self._ids: set[str] = set()

    def __enter__(self) -> PixelStore:
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._room is None:
            self._room = min(MOST_BYTES, free_bytes(self._folder) // FREE_SHARE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._ids

    def put(self, image_id: str, pixels: NDArray[np.uint8]) -> None:
        """Keep the pixels of a content, uint8 (height, width, 3), while there is room."""
        if self._room is None:
            raise ValueError("a store of pixels keeps none before it is entered")
        if pixels.nbytes <= self._room:
            write_file(self._path(image_id), partial(np.save, arr=pixels, allow_pickle=False), durable=False)
            self._room -= pixels.nbytes
            self._ids.add(image_id)

    def take(self, image_id: str) -> NDArray[np.uint8] | None:
        """Hand the pixels of a content over, once; None where there are none."""
        if self._room is None or image_id not in self._ids:
            return None
        path = self._path(image_id)
        pixels: NDArray[np.uint8] = np.load(path, allow_pickle=False)
        path.unlink()
        self._ids.remove(image_id)
        self._room += pixels.nbytes
        return pixels

    def _path(self, image_id: str) -> Path:
        return self._folder / f"{image_id}.npy"
