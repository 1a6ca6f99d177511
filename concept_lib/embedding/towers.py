"""CLIP's two towers, loaded: images and words become unit vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from concept_lib.embedding.model_files import CLIP_CALIBRATION, Calibration
from concept_lib.errors import ConceptError
from concept_lib.progress import Progress

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_TEXTS = 256  # in one pass at most
_IMAGES = 32  # in each pass: convolutions round otherwise in smaller ones, and vectors must not


class Towers:
    """An image tower and a text tower of one space (CLIP: Radford et al. 2021).

    Parameters
    ----------
    images, texts
        sentence-transformers models; often the same.
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
        When one of them does not take what it is for, or they do not share a space.
    """

    def __init__(
        self,
        images: SentenceTransformer,
        texts: SentenceTransformer,
        confidence: Calibration = CLIP_CALIBRATION,
        names: tuple[str, str] = ("the image model", "the text model"),
    ) -> None:
        if "image" not in images.modalities:
            raise ConceptError(f"{names[0]} embeds no images: give it as text model, beside one that does")
        if "text" not in texts.modalities:
            raise ConceptError(f"{names[1]} embeds no words: give a text model of the same space too")
        self._images = images
        self._texts = texts
        self.confidence = confidence
        self.image_size = _image_size(images)
        self.dim: int = _encode(images, [Image.new("RGB", (self.image_size, self.image_size))]).shape[1]
        text_dim = _encode(texts, ["a"]).shape[1]
        if text_dim != self.dim:
            raise ConceptError(
                f"{names[1]} gives words {text_dim} dimensions and {names[0]} gives images {self.dim}: give a text "
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
        images = [Image.fromarray(array) for array in pixels]
        padding = [images[-1]] * (-len(images) % _IMAGES)
        return _encode(self._images, images + padding, _IMAGES)[: len(images)]

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
        order = np.argsort(_token_counts(self._texts, texts), kind="stable")
        for start in range(0, len(texts), _TEXTS):
            rows = order[start : start + _TEXTS]
            vectors[rows] = _encode(self._texts, [texts[row] for row in rows])
            if progress:
                progress(start + len(rows), len(texts))
        return vectors


def _image_size(tower: SentenceTransformer) -> int:
    """Shorter side, in pixels, to which the model's own preprocessing scales."""
    size = getattr(tower.processor, "image_processor", tower.processor).size
    return int(size.get("shortest_edge") or max(size["height"], size["width"]))


def _token_counts(tower: SentenceTransformer, texts: Sequence[str]) -> list[int]:
    """Length of each text in tokens, after cutting; in characters for towers without a usual tokenizer."""
    from transformers import PreTrainedTokenizerBase

    if not texts or not isinstance(tower.tokenizer, PreTrainedTokenizerBase):
        return [len(text) for text in texts]
    encoded = tower.tokenizer(list(texts), truncation=True, padding=False, return_attention_mask=False)
    return [len(tokens) for tokens in encoded["input_ids"]]


def _encode(tower: SentenceTransformer, inputs: Sequence[Any], batch_size: int = _TEXTS) -> np.ndarray:
    """Unit vectors, float32, shape (n, dim)."""
    vectors: np.ndarray = tower.encode(
        list(inputs),
        batch_size=min(len(inputs), batch_size),
        show_progress_bar=False,
        normalize_embeddings=True,
    )
    if not np.isfinite(vectors).all():
        raise ConceptError("the model gives vectors that are not finite: its weights are damaged")
    return np.ascontiguousarray(vectors, dtype=np.float32)
