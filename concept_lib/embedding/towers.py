"""CLIP's two towers, loaded: images and words become unit vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from concept_lib.embedding.model_files import CLIP_CALIBRATION, Calibration
from concept_lib.errors import ConceptError
from concept_lib.progress import Progress

_TEXTS = 256  # in one pass at most


class ImageTower(Protocol):
    """Images to vectors, whatever computes them."""

    @property
    def dim(self) -> int:
        """Length of every vector."""

    @property
    def image_size(self) -> int:
        """Pixels of the shorter side that it takes."""

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim), each the same whichever images come with it; n is at least 1."""


class TextTower(Protocol):
    """Texts to vectors, whatever computes them."""

    @property
    def dim(self) -> int:
        """Length of every vector."""

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """How much of a pass each text takes, in tokens or the like."""

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim), in one pass; n is at least 1."""


class Towers:
    """An image tower and a text tower of one space (CLIP: Radford et al. 2021).

    Parameters
    ----------
    images, texts
        The towers.
    confidence
        How a cosine of this space becomes a confidence.
    names
        What errors call the two.

    Attributes
    ----------
    dim
        Length of every vector.
    image_size
        Pixels of the shorter side that `encode_images` takes.

    Raises
    ------
    ConceptError
        When they do not share a space.
    """

    def __init__(
        self,
        images: ImageTower,
        texts: TextTower,
        confidence: Calibration = CLIP_CALIBRATION,
        names: tuple[str, str] = ("the image model", "the text model"),
    ) -> None:
        self._images = images
        self._texts = texts
        self.confidence = confidence
        self.image_size = images.image_size
        self.dim = images.dim
        if texts.dim != self.dim:
            raise ConceptError(
                f"{names[1]} gives words {texts.dim} dimensions and {names[0]} gives images {self.dim}: give a text "
                "model of the same space"
            )

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Embed images.

        Parameters
        ----------
        pixels
            RGB, uint8, shape (height, width, 3) each, the shorter side `image_size` long.

        Returns
        -------
        np.ndarray
            float32, shape (n, dim), rows of length 1.
        """
        if not pixels:
            return np.zeros((0, self.dim), np.float32)
        return require_finite(self._images.encode_images(pixels))

    def encode_texts(self, texts: Sequence[str], *, progress: Progress | None = None) -> np.ndarray:
        """Embed words or phrases, bare: no "a photo of a" around them.

        Texts of equal length in tokens share a pass, so that next to nothing is padding; a text that is
        longer than the tower reads is cut.

        Returns
        -------
        np.ndarray
            float32, shape (n, dim), rows of length 1, in the order of `texts`.
        """
        vectors = np.zeros((len(texts), self.dim), np.float32)
        lengths = self._texts.text_lengths(texts) if texts else []
        order = np.argsort(lengths, kind="stable")
        for start in range(0, len(texts), _TEXTS):
            rows = order[start : start + _TEXTS]
            vectors[rows] = require_finite(self._texts.encode_texts([texts[row] for row in rows]))
            if progress:
                progress(start + len(rows), len(texts))
        return vectors


def require_finite(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors, or raise ConceptError when one of their numbers is none."""
    if not np.isfinite(vectors).all():
        raise ConceptError("the model gives vectors that are not finite: its weights are damaged")
    return vectors
