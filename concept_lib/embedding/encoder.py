"""CLIP's two towers: images and words become unit vectors of one space."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from concept_lib.embedding.memory import keep_freed_memory
from concept_lib.embedding.model_files import (
    Calibration,
    ModelFiles,
    load_calibration,
    locate,
    model_fingerprint,
    text_fingerprint,
    tower_fingerprint,
    tower_names,
)
from concept_lib.embedding.quiet import quiet_libraries
from concept_lib.errors import ConceptError
from concept_lib.progress import Progress

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["Calibration", "Encoder", "load_encoder", "model_fingerprint", "text_fingerprint"]

_TEXTS = 256  # in one pass at most
_IMAGES = 32  # in each pass: convolutions round otherwise in smaller ones, and vectors must not
_UNUSED_WEIGHTS = re.compile(r"^pooler\.|logit_|position_ids")  # have no say in the vectors


class Encoder:
    """An image tower and a text tower of one space (CLIP: Radford et al. 2021).

    Made by `load_encoder`.

    Parameters
    ----------
    image_files, text_files
        Where the towers come from; often the same folder.
    images, texts
        The towers, loaded; often the same model.

    Attributes
    ----------
    name
        The image tower's, as the user gave it.
    fingerprint, text_fingerprint
        Hash of weights, preprocessing, backend and precision of each tower.
    dim
        Length of every vector.
    image_size
        Pixels of the shorter side that `encode_images` takes.
    confidence
        How a cosine of this space becomes a confidence.
    """

    def __init__(
        self,
        image_files: ModelFiles,
        text_files: ModelFiles,
        images: SentenceTransformer,
        texts: SentenceTransformer,
    ) -> None:
        self._images = images
        self._texts = texts
        self.name = image_files.name
        self.fingerprint = tower_fingerprint(image_files, "image")
        self.text_fingerprint = tower_fingerprint(text_files, "text")
        self.confidence = load_calibration(image_files)
        self.image_size = _image_size(images)
        blank = Image.new("RGB", (self.image_size, self.image_size))
        self.dim: int = _encode(images, [blank]).shape[1]
        text_dim = _encode(texts, ["a"]).shape[1]
        if text_dim != self.dim:
            raise ConceptError(
                f"{text_files.name} gives words {text_dim} dimensions and {image_files.name} gives images "
                f"{self.dim}: give a text model of the same space"
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


def load_encoder(
    model: str, *, text_model: str | None = None, revision: str | None = None, device: str = "auto"
) -> Encoder:
    """Load a CLIP model through sentence-transformers.

    Parameters
    ----------
    model
        Name on the Hugging Face hub ("clip-ViT-B-32" is "sentence-transformers/clip-ViT-B-32"), folder,
        or "demo". "clip-ViT-B-32-multilingual-v1" embeds words only and brings "clip-ViT-B-32" for images.
    text_model
        Another model for the words, of the same space.
    revision
        Commit, tag or branch of `model` on the hub.
    device
        "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1" or "mps".

    Raises
    ------
    ConceptError
        When a model cannot be found, fetched or loaded, or the two do not share a space.
    """
    keep_freed_memory()
    image_name, text_name = tower_names(model, text_model, revision)
    image_files = locate(*image_name)
    text_files = image_files if text_name == image_name else locate(*text_name)
    target = _device(device)
    images = _load_tower(image_files, target)
    texts = images if text_files is image_files else _load_tower(text_files, target)
    if "image" not in images.modalities:
        raise ConceptError(f"{model} embeds no images: give it as text model, beside one that does")
    if "text" not in texts.modalities:
        raise ConceptError(f"{text_files.name} embeds no words: give a text model of the same space too")
    return Encoder(image_files, text_files, images, texts)


def _device(device: str) -> str:
    """Name of a device that is there."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next((name for name in ("cuda", "mps") if there[name]), "cpu")
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", device):
        raise ConceptError(f"device takes auto, cpu, cuda or mps, not {device}")
    if not there[device.partition(":")[0]]:
        raise ConceptError(f"device {device} is not on this machine; take auto or cpu")
    return device


def _load_tower(files: ModelFiles, device: str) -> SentenceTransformer:
    """Load one model from its folder; the hub is not asked, and no code of the model's runs."""
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    try:
        with quiet_libraries() as warnings:
            tower = SentenceTransformer(
                str(files.folder),
                device=device,
                local_files_only=True,
                model_kwargs={"dtype": torch.float32},  # fp16 arithmetic is very slow on a CPU
            )
    except (OSError, ValueError, LookupError, RuntimeError, ImportError, SafetensorError) as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConceptError(
            f"{files.name} cannot be loaded as a sentence-transformers CLIP model: {why}"
        ) from error
    _refuse_untrained(files, warnings)
    _limit_length(tower)
    return tower


def _refuse_untrained(files: ModelFiles, warnings: Sequence[str]) -> None:
    """Weights that are absent from the file are filled with chance, which transformers only warns of."""
    absent = [
        name
        for name in re.findall(r"^(\S.*?)\s*\|.*\bMISSING\b", "\n".join(warnings), re.MULTILINE)
        if not _UNUSED_WEIGHTS.search(name)
    ]
    if absent:
        raise ConceptError(f"{files.name} cannot be used: its weights lack {absent[0]}")


def _limit_length(tower: SentenceTransformer) -> None:
    """Cut texts where the model's positions end, when its tokenizer does not know."""
    text_config = getattr(tower.config, "text_config", None)
    positions = getattr(text_config, "max_position_embeddings", None)
    if positions is not None:
        tower.tokenizer.model_max_length = min(tower.tokenizer.model_max_length, positions)


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
