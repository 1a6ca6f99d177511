"""A tower of a model, computed the fastest way that suits it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from concept_lib.embedding.arithmetic import Arithmetic
from concept_lib.embedding.conversion import (
    PROBE_TEXTS,
    convert_images,
    convert_texts,
    converted_folder,
    is_whole,
)
from concept_lib.embedding.model_files import ModelFiles, tower_content, tower_fingerprint
from concept_lib.embedding.openvino_tower import OpenVinoImages, OpenVinoTexts
from concept_lib.embedding.preprocessing import probe_images
from concept_lib.embedding.torch_tower import TorchImages, TorchTexts, load_model
from concept_lib.embedding.towers import ImageTower, TextTower
from concept_lib.embedding.verdicts import (
    UnsuitedError,
    require_closeness,
    store_verdict,
    stored_verdict,
)
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_logger = logging.getLogger(__name__)
_Tower = TypeVar("_Tower")
_Torch = TypeVar("_Torch")


class Source:
    """A model on this machine, loaded by torch when something needs that, and once for both of its towers."""

    def __init__(self, files: ModelFiles) -> None:
        self.files = files
        self._loaded: dict[str, SentenceTransformer] = {}

    def model(self, device: str) -> SentenceTransformer:
        """The model on a device."""
        if device not in self._loaded:
            self._loaded[device] = load_model(self.files, device)
        return self._loaded[device]


def open_images(source: Source, possible: Sequence[Arithmetic]) -> tuple[ImageTower, str]:
    """Open an image tower, and tell its fingerprint.

    Parameters
    ----------
    possible
        Ways to compute, the best first; see `concept_lib.embedding.arithmetic.choices`.

    Raises
    ------
    ConceptError
        When it cannot be loaded, or suits none of them.
    """
    return _open(_IMAGES, source, possible)


def open_texts(source: Source, possible: Sequence[Arithmetic]) -> tuple[TextTower, str]:
    """Open a text tower, and tell its fingerprint; see `open_images`."""
    return _open(_TEXTS, source, possible)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[_Tower, _Torch]):
    """What is different for images and for texts."""

    role: str
    with_torch: Callable[[Source, Arithmetic], _Torch]
    convert: Callable[[_Torch, Path], None]
    converted: Callable[[Path, str], _Tower]
    as_tower: Callable[[_Torch], _Tower]
    probe: Callable[[_Tower], np.ndarray]


def _torch_images(source: Source, arithmetic: Arithmetic) -> TorchImages:
    model = source.model(arithmetic.device)
    return TorchImages(model, source.files.name, arithmetic.precision, _gpus(arithmetic.device))


def _torch_texts(source: Source, arithmetic: Arithmetic) -> TorchTexts:
    return TorchTexts(source.model(arithmetic.device), source.files.name, arithmetic.precision)


def _probe_images(tower: ImageTower) -> np.ndarray:
    return tower.encode_images(probe_images(tower.image_size))


def _probe_texts(tower: TextTower) -> np.ndarray:
    return tower.encode_texts(PROBE_TEXTS)


_IMAGES: _Kind[ImageTower, TorchImages] = _Kind(
    "image", _torch_images, convert_images, OpenVinoImages, lambda tower: tower, _probe_images
)
_TEXTS: _Kind[TextTower, TorchTexts] = _Kind(
    "text", _torch_texts, convert_texts, OpenVinoTexts, lambda tower: tower, _probe_texts
)


def _open(kind: _Kind[_Tower, _Torch], source: Source, possible: Sequence[Arithmetic]) -> tuple[_Tower, str]:
    content = tower_content(source.files, kind.role)
    for arithmetic in possible:
        fingerprint = tower_fingerprint(content, kind.role, arithmetic)
        is_known, refusal = stored_verdict(fingerprint, arithmetic)
        if refusal is None:
            try:
                tower = _made(kind, source, content, arithmetic)
                if not is_known and arithmetic.precision != "fp32":
                    plain = _made(
                        kind, source, content, Arithmetic(arithmetic.backend, "fp32", arithmetic.device)
                    )
                    require_closeness(arithmetic.precision, kind.probe(tower), kind.probe(plain))
            except UnsuitedError as error:
                refusal = str(error)
        suits_all = (arithmetic.backend, arithmetic.precision) == ("torch", "fp32")
        if not is_known and not suits_all:
            store_verdict(fingerprint, arithmetic, refusal)
        if refusal is None:
            return tower, fingerprint
        _logger.info("%s: %s tower: %s", source.files.name, kind.role, refusal)
    raise ConceptError(f"{source.files.name} ({kind.role} tower): {refusal}")


def _made(kind: _Kind[_Tower, _Torch], source: Source, content: object, arithmetic: Arithmetic) -> _Tower:
    """A tower that computes as asked; converted first where it must be."""
    if arithmetic.backend == "torch":
        return kind.as_tower(kind.with_torch(source, arithmetic))
    plain = Arithmetic("openvino", "fp32", arithmetic.device)
    folder = converted_folder(tower_fingerprint(content, kind.role, plain))
    if not is_whole(folder):
        _logger.info("%s: converting the %s tower for OpenVINO, once", source.files.name, kind.role)
        kind.convert(kind.with_torch(source, Arithmetic("torch", "fp32", arithmetic.device)), folder)
    return kind.converted(folder, arithmetic.precision)


def _gpus(device: str) -> list[str]:
    """All GPUs, where there are several and none was chosen."""
    import torch

    count = torch.cuda.device_count() if device == "cuda" else 0
    return [f"cuda:{number}" for number in range(count)] if count > 1 else []
