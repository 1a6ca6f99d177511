"""Vectors of images that a program hands over, kept in memory alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from concept_lib.embedding.engine import ImageEncoder, embed_images
from concept_lib.images.given import GivenImages
from concept_lib.progress import Progress

BATCH_SIZE = 32


class GivenVectors(NamedTuple):
    """Vectors of images in the order given.

    Attributes
    ----------
    vectors
        float32 (n, dim), unit rows; zero where there is none.
    reasons
        Why an image has no vector, by its position.
    """

    vectors: np.ndarray
    reasons: dict[int, str]


class _Memory:
    """Holds vectors by position."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.vectors: list[np.ndarray] = []

    def has(self, ids: Sequence[str]) -> np.ndarray:
        return np.zeros(len(ids), bool)

    def append(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        self.rows.extend(map(int, ids))
        self.vectors.append(vectors)


def embed_given(
    encoder: ImageEncoder, dim: int, images: GivenImages, *, progress: Progress | None = None
) -> GivenVectors:
    """Embed images one after another as they are decoded.

    Parameters
    ----------
    encoder
        Whose vectors have `dim` components.
    progress
        Told of images done and of all.
    """
    kept = _Memory()
    sources = [(str(row), b"%d" % row) for row in range(len(images.images))]
    report = embed_images(encoder, kept, sources, images, batch_size=BATCH_SIZE, progress=progress)
    vectors = np.zeros((len(sources), dim), np.float32)
    for rows, part in zip(_split(kept.rows, kept.vectors), kept.vectors, strict=True):
        vectors[rows] = part
    return GivenVectors(vectors, {int(row): reason for row, reason in report.failures.items()})


def _split(rows: list[int], parts: list[np.ndarray]) -> list[np.ndarray]:
    return np.split(np.array(rows, np.intp), np.cumsum([len(part) for part in parts])[:-1]) if parts else []
