"""Photographs that are none: scenes of the sample gallery, with the grain that makes decoding cost what it does."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from concept_lib.images.sample import KINDS, render
from concept_lib.progress import Progress
from concept_lib.storage import write_file

SMALL, LARGE = (640, 427), (1080, 720)
"""Width and height in pixels: Unsplash Lite's, and what cameras' pictures are often kept at."""

SCENES_PER_KIND = 10
SCENE_SIDE = 320  # px, longer side
QUALITY = 82
GRAIN_SIDE = 1536  # px
GRAIN = 12.0  # standard deviation in grey levels: 640x427 then takes about 80 KB, as a photograph does
CHUNK = 50


def write_pictures(
    folder: Path, count: int, size: tuple[int, int], *, first: int = 0, progress: Progress | None = None
) -> list[Path]:
    """Write JPEGs ``<number>.jpg``, all different; what is there already stays.

    Parameters
    ----------
    folder
        Made when missing.
    count
        How many.
    size
        Width and height, pixels.
    first
        Number of the first; picture i is the same whatever is asked for beside it.

    Returns
    -------
    list of Path
        In the order of their numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:06d}.jpg" for number in range(first, first + count)]
    missing = [(path, size, number) for number, path in enumerate(paths, first) if not path.exists()]
    chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
    if len(chunks) < 2:
        for chunk in chunks:
            _write(chunk)
        return paths
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(_write, chunks), start=1):
            if progress:
                progress(min(done * CHUNK, len(missing)), len(missing))
    return paths


def photograph(number: int, size: tuple[int, int]) -> Image.Image:
    """A scene seen through a window of its own, lit and tinted in its own way, with grain over it.

    Examples
    --------
    >>> photograph(3, (64, 48)).size
    (64, 48)
    """
    rng = np.random.default_rng([size[0], number])
    scene = _scene(number % (len(KINDS) * SCENES_PER_KIND))
    window = _window(rng, scene.size, size[0] / size[1])
    pixels = np.asarray(scene.resize(size, Image.Resampling.BICUBIC, box=window), np.float32)
    light = rng.uniform(0.8, 1.15) * rng.uniform(0.93, 1.07, 3).astype(np.float32)
    left, top = rng.integers(0, GRAIN_SIDE - max(size), 2)
    grain = _grain()[top : top + size[1], left : left + size[0], None]
    return Image.fromarray(np.clip(pixels * light + grain, 0, 255).astype(np.uint8))


def _write(files: Sequence[tuple[Path, tuple[int, int], int]]) -> None:
    for path, size, number in files:
        buffer = io.BytesIO()
        photograph(number, size).save(buffer, "JPEG", quality=QUALITY)
        write_file(path, buffer.getvalue(), durable=False)


@cache
def _scene(number: int) -> Image.Image:
    return render(KINDS[number % len(KINDS)], number // len(KINDS), SCENE_SIDE)


def _window(
    rng: np.random.Generator, size: tuple[int, int], aspect: float
) -> tuple[float, float, float, float]:
    """A part of a picture, of a given width / height: at least two thirds of what fits in."""
    width = min(size[0], size[1] * aspect) * rng.uniform(0.67, 1.0)
    left, top = rng.uniform(0, size[0] - width), rng.uniform(0, size[1] - width / aspect)
    return left, top, left + width, top + width / aspect


@cache
def _grain() -> np.ndarray:
    """Noise whose amplitude falls with the root of the frequency: between that of a sensor and that of a scene."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft2(rng.standard_normal((GRAIN_SIDE, GRAIN_SIDE)))
    across, down = np.fft.rfftfreq(GRAIN_SIDE), np.fft.fftfreq(GRAIN_SIDE)
    spectrum /= np.sqrt(np.hypot(across[None, :], down[:, None]) + 1 / GRAIN_SIDE)
    field = np.fft.irfft2(spectrum, s=(GRAIN_SIDE, GRAIN_SIDE))
    return np.asarray(field / field.std() * GRAIN, np.float32)
