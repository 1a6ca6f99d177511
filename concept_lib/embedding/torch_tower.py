"""Towers that torch computes, through sentence-transformers: on the CPU, or on one or more GPUs."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from concept_lib.embedding.model_files import ModelFiles
from concept_lib.embedding.preprocessing import Preprocessing, read_preprocessing
from concept_lib.embedding.quiet import quiet_libraries
from concept_lib.embedding.towers import require_finite
from concept_lib.embedding.verdicts import UnsuitedError
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_IMAGES = 32  # in each pass: convolutions round otherwise in smaller ones, and vectors must not
_UNUSED_WEIGHTS = re.compile(r"^pooler\.|logit_|position_ids")  # have no say in the vectors


class TorchImages:
    """An image tower.

    Parameters
    ----------
    model
        A sentence-transformers model, on its device.
    name
        What errors call it.
    precision
        ``bf16`` and ``fp16`` for GPUs.
    devices
        Where to compute, when that is more than the device of the model: passes are dealt out in turn.

    Raises
    ------
    ConceptError
        When the model embeds no images, or its weights are damaged.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        name: str = "the image model",
        precision: str = "fp32",
        devices: Sequence[str] = (),
    ) -> None:
        if "image" not in model.modalities:
            raise ConceptError(f"{name} embeds no images: give it as text model, beside one that does")
        self.model = model
        self._precision = precision
        self.image_size = _image_size(model)
        self.preprocessing: Preprocessing | None
        try:
            self.preprocessing = read_preprocessing(self.processor, self.image_size, self.process)
        except UnsuitedError:
            self.preprocessing = None
        self._replicas = [copy.deepcopy(model).to(device) for device in devices] or [model]
        blank = np.zeros((self.image_size, self.image_size, 3), np.uint8)
        self.dim: int = require_finite(self.encode_images([blank])).shape[1]

    @property
    def processor(self) -> object:
        """The model's own image processor."""
        return getattr(self.model.processor, "image_processor", self.model.processor)

    def process(self, images: Sequence[Image.Image]) -> np.ndarray:
        """What that makes of images, float32, shape (n, 3, height, width)."""
        made: np.ndarray = self.model.preprocess(list(images))["pixel_values"].numpy()
        return made

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim).

        A GPU computes a pass while the CPU prepares the next one: nothing waits for a result before the end.
        """
        import torch

        padded = [*pixels, *[pixels[-1]] * (-len(pixels) % _IMAGES)]
        results = []
        with torch.inference_mode():
            for number, start in enumerate(range(0, len(padded), _IMAGES)):
                replica = self._replicas[number % len(self._replicas)]
                batch = self._prepare(padded[start : start + _IMAGES])
                results.append(_unit_vectors(replica, {"pixel_values": batch}, "image", self._precision))
        return np.concatenate([result.cpu().numpy() for result in results])[: len(pixels)]

    def _prepare(self, pixels: Sequence[np.ndarray]) -> torch.Tensor:
        import torch

        prepare = self.preprocessing
        return torch.from_numpy(
            prepare(pixels) if prepare else self.process([Image.fromarray(image) for image in pixels])
        )


class TorchTexts:
    """A text tower; parameters as of `TorchImages`.

    Raises
    ------
    ConceptError
        When the model embeds no words, or its weights are damaged.
    """

    def __init__(
        self, model: SentenceTransformer, name: str = "the text model", precision: str = "fp32"
    ) -> None:
        if "text" not in model.modalities:
            raise ConceptError(f"{name} embeds no words: give a text model of the same space too")
        self.model = model
        self._precision = precision
        self.dim: int = require_finite(self.encode_texts(["a"])).shape[1]

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, after cutting; characters for towers without a usual tokenizer."""
        from transformers import PreTrainedTokenizerBase

        tokenizer = self.model.tokenizer
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            return [len(text) for text in texts]
        encoded = tokenizer(list(texts), truncation=True, padding=False, return_attention_mask=False)
        return [len(tokens) for tokens in encoded["input_ids"]]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim)."""
        with half_precision(self._precision, self.model.device.type):
            vectors: np.ndarray = self.model.encode(
                list(texts), batch_size=len(texts), show_progress_bar=False, normalize_embeddings=True
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)


def half_precision(precision: str, device: str) -> AbstractContextManager[Any]:
    """Let torch multiply in ``bf16`` or ``fp16``, and do as always for ``fp32``; weights and sums stay as they are."""
    import torch

    kinds = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return torch.autocast(device, kinds[precision]) if precision in kinds else nullcontext()


def _unit_vectors(
    model: SentenceTransformer, tensors: dict[str, torch.Tensor], modality: str, precision: str
) -> torch.Tensor:
    """What a model makes of prepared inputs, float32, shape (n, dim), on its device and perhaps yet to be computed."""
    import torch

    device = model.device
    if device.type == "cuda":  # from pinned memory the copy does not hold up the CPU
        tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    features: dict[str, Any] = {name: t.to(device, non_blocking=True) for name, t in tensors.items()}
    with half_precision(precision, device.type):
        embedded = model({**features, "modality": modality})["sentence_embedding"]
    return torch.nn.functional.normalize(embedded.float(), dim=1)


def load_model(files: ModelFiles, device: str) -> SentenceTransformer:
    """Load one model from its folder; the hub is not asked, and no code of the model's runs.

    Raises
    ------
    ConceptError
        When it cannot be loaded.
    """
    import torch
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    try:
        with quiet_libraries() as warnings:
            model = SentenceTransformer(
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
    _limit_length(model)
    return model


def _refuse_untrained(files: ModelFiles, warnings: Sequence[str]) -> None:
    """Weights that are absent from the file are filled with chance, which transformers only warns of."""
    absent = [
        name
        for name in re.findall(r"^(\S.*?)\s*\|.*\bMISSING\b", "\n".join(warnings), re.MULTILINE)
        if not _UNUSED_WEIGHTS.search(name)
    ]
    if absent:
        raise ConceptError(f"{files.name} cannot be used: its weights lack {absent[0]}")


def _limit_length(model: SentenceTransformer) -> None:
    """Cut texts where the model's positions end, when its tokenizer does not know."""
    text_config = getattr(model.config, "text_config", None)
    positions = getattr(text_config, "max_position_embeddings", None)
    if positions is not None:
        model.tokenizer.model_max_length = min(model.tokenizer.model_max_length, positions)


def _image_size(model: SentenceTransformer) -> int:
    """Shorter side, in pixels, to which the model's own preprocessing scales."""
    size = getattr(model.processor, "image_processor", model.processor).size
    return int(size.get("shortest_edge") or max(size["height"], size["width"]))
