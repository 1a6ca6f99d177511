"""CLIP models loaded from their folders or the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from concept_lib.embedding.arithmetic import choices
from concept_lib.embedding.memory import keep_freed_memory
from concept_lib.embedding.model_files import (
    Calibration,
    load_calibration,
    locate,
    model_fingerprint,
    text_fingerprint,
    tower_names,
)
from concept_lib.embedding.opening import Source, open_images, open_texts
from concept_lib.embedding.torch_tower import TorchImages, TorchTexts
from concept_lib.embedding.towers import ImageTower, TextTower, Towers
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Model: TypeAlias = "str | Path | SentenceTransformer"

__all__ = ["Calibration", "Encoder", "load_encoder", "load_towers", "model_fingerprint", "text_fingerprint"]


class Encoder(Towers):
    """Towers that know which files they come from.

    Made by `load_encoder`.

    Parameters
    ----------
    images, texts
        The towers, loaded, each with its fingerprint.
    confidence
        How a cosine of this space becomes a confidence.
    names
        The models, as the user gave them.

    Attributes
    ----------
    name
        The image tower's, as the user gave it.
    fingerprint, text_fingerprint
        Hash of weights, preprocessing, backend and precision of each tower.
    """

    def __init__(
        self,
        images: tuple[ImageTower, str],
        texts: tuple[TextTower, str],
        confidence: Calibration,
        names: tuple[str, str],
    ) -> None:
        super().__init__(images[0], texts[0], confidence, names)
        self.name = names[0]
        self.fingerprint = images[1]
        self.text_fingerprint = texts[1]


def load_encoder(
    model: str,
    *,
    text_model: str | None = None,
    revision: str | None = None,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
) -> Encoder:
    """Load a CLIP model that sentence-transformers can load.

    With OpenVINO it is converted the first time, which takes half a minute or less; from then on neither
    sentence-transformers nor torch is loaded.

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
    backend
        "openvino" (CPUs only), "torch", or "auto": OpenVINO on a CPU, for the models that it can convert.
    precision
        "fp32", "bf16", or "auto": half precision where the hardware has it and the model's vectors keep a cosine
        of .9999 to those of fp32.

    Raises
    ------
    ConceptError
        When a model cannot be found, fetched or loaded, does not suit what is asked for, or the two do not share
        a space.
    """
    keep_freed_memory()
    possible = choices(device, backend, precision)
    image_name, text_name = tower_names(model, text_model, revision)
    images = Source(locate(*image_name))
    texts = images if text_name == image_name else Source(locate(*text_name))
    return Encoder(
        open_images(images, possible),
        open_texts(texts, possible),
        load_calibration(images.files),
        (images.files.name, texts.files.name),
    )


def load_towers(
    model: Model | Sequence[Model], *, text_model: Model | None = None, device: str = "auto"
) -> Towers:
    """Towers from names, folders or models that are loaded already.

    Parameters
    ----------
    model
        As `load_encoder` takes it, or a SentenceTransformer, or a pair: one for images and one for words.
    text_model
        Another model for the words, of the same space.
    device
        As in `load_encoder`; loaded models stay where they are, and torch computes them.

    Raises
    ------
    ConceptError
        As `load_encoder` does.
    """
    if not _is_name(model) and isinstance(model, Sequence):
        if len(model) != 2 or text_model is not None:
            raise ConceptError("embedding_model takes one model, or a pair: one for images and one for words")
        model, text_model = model
    texts = model if text_model is None else text_model
    if _is_name(model) and _is_name(texts):
        return load_encoder(
            str(model), text_model=None if text_model is None else str(text_model), device=device
        )
    keep_freed_memory()
    if _is_name(model):
        images, _ = open_images(_source(model, 0), choices(device))
        return Towers(images, TorchTexts(cast("SentenceTransformer", texts)))
    loaded = TorchImages(cast("SentenceTransformer", model))
    if _is_name(texts):
        return Towers(loaded, open_texts(_source(texts, 1), choices(device))[0])
    return Towers(loaded, TorchTexts(cast("SentenceTransformer", texts)))


def _source(name: object, role: int) -> Source:
    """The model that a name gives for images (0) or for words (1)."""
    return Source(locate(*tower_names(str(name), None, None)[role]))


def _is_name(model: object) -> bool:
    return isinstance(model, str | Path)
