"""CLIP models loaded from their folders or the hub."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

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
from concept_lib.embedding.towers import Towers
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Model: TypeAlias = "str | Path | SentenceTransformer"

__all__ = ["Calibration", "Encoder", "load_encoder", "load_towers", "model_fingerprint", "text_fingerprint"]

_UNUSED_WEIGHTS = re.compile(r"^pooler\.|logit_|position_ids")  # have no say in the vectors


class Encoder(Towers):
    """Towers that know which files they come from.

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
    """

    def __init__(
        self,
        image_files: ModelFiles,
        text_files: ModelFiles,
        images: SentenceTransformer,
        texts: SentenceTransformer,
    ) -> None:
        super().__init__(images, texts, load_calibration(image_files), (image_files.name, text_files.name))
        self.name = image_files.name
        self.fingerprint = tower_fingerprint(image_files, "image")
        self.text_fingerprint = tower_fingerprint(text_files, "text")


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
    return Encoder(image_files, text_files, images, texts)


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
        As in `load_encoder`; loaded models stay where they are.

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
    loaded: list[SentenceTransformer] = []
    for part, role in ((model, 0), (texts, 1)):
        if _is_name(part):
            keep_freed_memory()
            name = tower_names(str(part), None, None)[role]
            loaded.append(_load_tower(locate(*name), _device(device)))
        else:
            loaded.append(cast("SentenceTransformer", part))
    return Towers(loaded[0], loaded[1])


def _is_name(model: object) -> bool:
    return isinstance(model, str | Path)


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
