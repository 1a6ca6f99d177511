"""The pictures that the demo model learns from, decoded once into memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from concept_lib.errors import ConceptError
from concept_lib.images.sample import KINDS, render
from concept_lib.progress import Progress

CANVAS = 128
"""Side in pixels of the square in whose upper left corner each picture is stored."""
RENDER_SEED = 10**11
"""First seed of the training renders, that of gallery number 1,000,000: no gallery anyone makes has it."""
VALIDATION_SEED = 2 * 10**11
"""First seed of the validation renders."""
HELD_OUT_PERCENT = 6


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures in memory.

    Attributes
    ----------
    pixels
        uint8 (n, CANVAS, CANVAS, 3); a picture fills the upper left ``sizes[i]`` of its square.
    sizes
        int64 (n, 2), height and width in pixels.
    labels
        int64 (n,), index into ``words``.
    rendered
        bool (n,), whether our renderer made it.
    words
        The distinct labels, sorted.
    products
        int64 (n,), which product it is, a finer kind than the label; -1 where the source does not tell.
    """

    pixels: np.ndarray
    sizes: np.ndarray
    labels: np.ndarray
    rendered: np.ndarray
    words: tuple[str, ...]
    products: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def is_validation(source: str) -> bool:
    """Whether a photo is held out.

    Groceries are split as their source splits them (its ``val/`` folder: other shelves, other days). The
    others have no split of their own, so a fixed share is held out by a hash of the path; figures on those
    flatter, for pictures of one thing fall on both sides.

    Examples
    --------
    >>> is_validation("grocery/dataset/val/Fruit/Kiwi/Kiwi_001.jpg")
    True
    >>> is_validation("grocery/dataset/train/Fruit/Kiwi/Kiwi_034.jpg")
    False
    """
    if "grocery/dataset/" in source:
        return "/val/" in source
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") % 100 < HELD_OUT_PERCENT


def product_name(source: str) -> str:
    """The product that a grocery's path names, empty for anything else.

    Examples
    --------
    >>> product_name("grocery/dataset/train/Fruit/Apple/Pink-Lady/Pink-Lady_014.jpg")
    'Fruit/Apple/Pink-Lady'
    >>> product_name("trash/dataset-resized/trash/trash22.jpg")
    ''
    """
    _, found, path = source.partition("grocery/dataset/")
    return "/".join(path.split("/")[1:-1]) if found else ""


def load_pictures(
    photos: Path, *, renders_per_kind: int, renders_held_out: int = 12, progress: Progress | None = None
) -> tuple[Pictures, Pictures]:
    """Decode the photos and render the gallery.

    Parameters
    ----------
    photos
        Parquet file with the columns ``label``, ``jpeg`` (bytes) and ``source``.
    renders_per_kind, renders_held_out
        Renders of each gallery kind for training and for validation.
    progress
        Called with the number of pictures done and their total.

    Returns
    -------
    training, validation
        With the same ``words``.

    Raises
    ------
    ConceptError
        When the file is missing.
    """
    if not photos.is_file():
        raise ConceptError(f"training photos not found: {photos}; give the Parquet file with --photos FILE")
    table = pq.read_table(photos, columns=["label", "jpeg", "source"])
    labels, sources = table["label"].to_pylist(), table["source"].to_pylist()
    seeds = [(kind, RENDER_SEED + i) for kind in KINDS for i in range(renders_per_kind)]
    seeds += [(kind, VALIDATION_SEED + i) for kind in KINDS for i in range(renders_held_out)]
    total = len(labels) + len(seeds)
    pixels = np.zeros((total, CANVAS, CANVAS, 3), np.uint8)
    sizes = np.zeros((total, 2), np.int64)
    for row, jpeg in enumerate(table["jpeg"]):
        _store(Image.open(io.BytesIO(jpeg.as_py())), pixels, sizes, row)
        if progress and row % 64 == 0:
            progress(row, total)
    for row, (kind, seed) in enumerate(seeds, start=len(labels)):
        _store(render(kind, seed), pixels, sizes, row)
        if progress:
            progress(row + 1, total)
    held_out = np.array(
        [is_validation(source) for source in sources] + [seed >= VALIDATION_SEED for _, seed in seeds], bool
    )
    words, codes = _codes(labels + [kind for kind, _ in seeds])
    products = np.full(total, -1)
    named = np.array([bool(product_name(source)) for source in sources])
    products[: len(sources)][named] = _codes(
        [product_name(source) for source in sources if product_name(source)]
    )[1]
    rendered = np.arange(total) >= len(labels)
    whole = Pictures(pixels, sizes, codes, rendered, words, products)
    return select(whole, ~held_out), select(whole, held_out)


def renew_renders(pictures: Pictures, before: int, epoch: int, *, share: float) -> None:
    """Bring the renders from one epoch to a later one, in place.

    Each slot is rendered afresh every ``1 / share`` epochs; what it holds depends on the epoch alone.

    Parameters
    ----------
    before, epoch
        From 0, at which the renders are as they were loaded.
    """
    slots = np.flatnonzero(pictures.rendered)
    period = round(1 / share)
    for slot, row in enumerate(slots):
        offset = period - 1 - slot % period
        generation = (epoch + offset) // period
        if generation != (before + offset) // period:
            seed = RENDER_SEED + generation * len(slots) + slot
            picture = render(pictures.words[pictures.labels[row]], seed)
            _store(picture, pictures.pixels, pictures.sizes, int(row))


def select(pictures: Pictures, rows: np.ndarray) -> Pictures:
    """The pictures of some rows (bool mask or indices)."""
    return Pictures(
        pictures.pixels[rows],
        pictures.sizes[rows],
        pictures.labels[rows],
        pictures.rendered[rows],
        pictures.words,
        pictures.products[rows],
    )


def leave_out(pictures: Pictures, kinds: Sequence[str]) -> Pictures:
    """Drop the pictures of some kinds; the words stay.

    Raises
    ------
    ConceptError
        When there is no such kind.
    """
    unknown = sorted(set(kinds) - set(pictures.words))
    if unknown:
        raise ConceptError(f"no such kind: {', '.join(unknown)}; the kinds are {', '.join(pictures.words)}")
    return select(pictures, ~np.isin(np.array(pictures.words)[pictures.labels], list(kinds)))


def sampling_weights(pictures: Pictures, *, balance: float, render_share: float) -> np.ndarray:
    """Probability of drawing each picture, float64 (n,), sums to 1.

    A class of ``c`` pictures weighs ``c ** (1 - balance)``, and all renders together weigh ``render_share``.
    """
    weights = np.zeros(len(pictures))
    shares: Sequence[tuple[bool, float]] = ((True, render_share), (False, 1.0 - render_share))
    for rendered, share in shares:
        rows = np.flatnonzero(pictures.rendered == rendered)
        counts = np.bincount(pictures.labels[rows], minlength=len(pictures.words))
        part = counts[pictures.labels[rows]].astype(np.float64) ** -balance
        weights[rows] = share * part / part.sum() if len(rows) else 0.0
    weights /= weights.sum()
    return weights


def _codes(names: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    """The distinct names, sorted, and the place of each name among them."""
    words, codes = np.unique(np.array(names, dtype=str), return_inverse=True)
    return tuple(words.tolist()), codes.astype(np.int64)


def _store(picture: Image.Image, pixels: np.ndarray, sizes: np.ndarray, row: int) -> None:
    """Put a picture into its square, its border repeated to the right and below."""
    picture = picture.convert("RGB")
    if max(picture.size) > CANVAS:
        picture.thumbnail((CANVAS, CANVAS), Image.Resampling.BICUBIC)
    array = np.asarray(picture)
    height, width = array.shape[:2]
    pixels[row] = np.pad(array, ((0, CANVAS - height), (0, CANVAS - width), (0, 0)), mode="edge")
    sizes[row] = height, width
