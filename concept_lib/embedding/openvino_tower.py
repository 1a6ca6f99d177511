"""Towers that OpenVINO computes on a CPU, of files that `concept_lib.embedding.conversion` made.

Neither torch nor transformers is imported.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from concept_lib.embedding.preprocessing import Preprocessing

if TYPE_CHECKING:
    import openvino
    import tokenizers

IMAGES = 8  # in one pass, one pass a stream: best on two cores, and a lone image costs no more than eight
TEXT_INPUTS = ("input_ids", "attention_mask", "token_type_ids")

_STREAMS = 4  # at most
_PRECISION = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoImages:
    """An image tower.

    Parameters
    ----------
    folder
        Made by `convert_images`.
    precision
        ``fp32`` or ``bf16``.
    """

    def __init__(self, folder: Path, precision: str) -> None:
        about = read_about(folder)
        levels = np.array(about["preprocessing"].pop("levels"), np.float32)
        self._preprocessing = Preprocessing(**about["preprocessing"], levels=levels)
        self._folder, self._precision = folder, precision
        self.dim: int = about["dim"]
        self.image_size = self._preprocessing.image_size

    @cached_property
    def _queue(self) -> openvino.AsyncInferQueue:
        streams = min(_STREAMS, _threads())
        network = _compile(self._folder, self._precision, streams)
        return load_openvino().AsyncInferQueue(network, streams)

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim); images are prepared while others are computed."""
        padded = [*pixels, *[pixels[-1]] * (-len(pixels) % IMAGES)]
        vectors = np.empty((len(padded), self.dim), np.float32)

        def take(request: openvino.InferRequest, start: int) -> None:
            vectors[start : start + IMAGES] = request.get_output_tensor(0).data

        self._queue.set_callback(take)
        for start in range(0, len(padded), IMAGES):
            self._queue.start_async([self._preprocessing(padded[start : start + IMAGES])], start)
        self._queue.wait_all()
        return vectors[: len(pixels)]


class OpenVinoTexts:
    """A text tower; parameters as of `OpenVinoImages`, the folder made by `convert_texts`."""

    def __init__(self, folder: Path, precision: str) -> None:
        self._about = read_about(folder)
        self._folder, self._precision = folder, precision
        self.dim: int = self._about["dim"]

    @cached_property
    def _network(self) -> openvino.CompiledModel:
        return _compile(self._folder, self._precision, 1)

    @cached_property
    def _tokenizer(self) -> tokenizers.Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_padding()
        if self._about["max_length"] is None:
            tokenizer.no_truncation()
        else:
            tokenizer.enable_truncation(self._about["max_length"])
        return tokenizer

    def text_lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, after cutting."""
        return [len(tokens) for tokens in self._tokenizer.encode_batch(list(texts))]

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim)."""
        tokens = self._tokenizer.encode_batch(list(texts))
        shape = len(tokens), max(map(len, tokens))
        filling = {"input_ids": self._about["padding"], "attention_mask": 0, "token_type_ids": 0}
        inputs = {name: np.full(shape, filling[name], np.int64) for name in TEXT_INPUTS}
        for row, text in enumerate(tokens):
            inputs["input_ids"][row, : len(text)] = text.ids
            inputs["attention_mask"][row, : len(text)] = text.attention_mask
            inputs["token_type_ids"][row, : len(text)] = text.type_ids
        vectors: np.ndarray = self._network([inputs[name] for name in self._about["inputs"]])[0]
        return vectors.copy()


def load_openvino() -> ModuleType:
    """The library, without its telemetry, which would report each import over the network."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    library: ModuleType = openvino
    return library


def _threads() -> int:
    """Cores to use: as many as this process may, or fewer where ``OMP_NUM_THREADS`` says so."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdigit() and int(asked) else cores


def _compile(folder: Path, precision: str, streams: int) -> openvino.CompiledModel:
    config = {
        "INFERENCE_PRECISION_HINT": _PRECISION[precision],
        "INFERENCE_NUM_THREADS": _threads(),
        "NUM_STREAMS": streams,
    }
    network: openvino.CompiledModel = (
        load_openvino().Core().compile_model(str(folder / "model.xml"), "CPU", config)
    )
    return network


def read_about(folder: Path) -> dict[str, Any]:
    """What stands beside the network of a converted tower."""
    about: dict[str, Any] = json.loads((folder / "about.json").read_bytes())
    return about
