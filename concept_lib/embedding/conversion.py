"""Towers converted for OpenVINO, once for all homes of this user.

A converted tower is a folder: OpenVINO's own two files, the tokenizer of a text tower, and ``about.json``, which
holds their digests and all else that is needed, so that neither torch nor transformers is imported again.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from concept_lib.caches import machine_cache
from concept_lib.embedding.openvino_tower import (
    IMAGES,
    TEXT_INPUTS,
    OpenVinoImages,
    OpenVinoTexts,
    load_openvino,
    read_about,
)
from concept_lib.embedding.preprocessing import probe_images, read_preprocessing
from concept_lib.embedding.quiet import quiet_libraries
from concept_lib.embedding.torch_tower import TorchImages, TorchTexts
from concept_lib.embedding.verdicts import UnsuitedError
from concept_lib.errors import ConceptError
from concept_lib.storage import TEMPORARY_PREFIX, canonical_json, file_digest

if TYPE_CHECKING:
    import openvino
    import torch

CONVERSION = 1  # raise it when converted towers are made or stored in another way
TOLERANCE = 1e-4  # of a converted tower's numbers to those of sentence-transformers
PROBE_TEXTS = (
    *(
        "cat",
        "",
        "A",
        "é",
        "two words",
        "  Spaces  around\tand\nbetween ",
        "don't",
        "U.S.A. 1,000 €",
        "猫 🐈",
    ),
    "a red lighthouse on the cliff by the sea at dawn",
    "many words " * 300,
)
_NETWORK = "model.xml"


def converted_folder(fingerprint: str) -> Path:
    """Where a converted tower lies.

    Parameters
    ----------
    fingerprint
        Of the tower with backend ``openvino`` in ``fp32``, whatever precision it will compute in.
    """
    return machine_cache() / "openvino" / f"{fingerprint}-{version('openvino')}-{CONVERSION}"


def is_whole(folder: Path) -> bool:
    """Whether a converted tower is there, and its files are as they were written."""
    try:
        digests: Mapping[str, str] = read_about(folder)["files"]
        return all(file_digest(folder / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def convert_images(tower: TorchImages, folder: Path) -> None:
    """Convert an image tower, and prove that it computes the same.

    Raises
    ------
    UnsuitedError
        When it cannot be converted, or computes something else.
    ConceptError
        When there is no place to store it.
    """
    preprocessing = tower.preprocessing or read_preprocessing(
        tower.processor, tower.image_size, tower.process
    )
    plain = asdict(preprocessing) | {"levels": preprocessing.levels.tolist()}
    probes = probe_images(tower.image_size)
    example = {"pixel_values": preprocessing(probes[:IMAGES])}
    about = {"dim": tower.dim, "preprocessing": plain}
    with _new_folder(folder) as new:
        _save(new, about, _trace(tower, "image", example, fixed=True))
        _require_equal(OpenVinoImages(new, "fp32").encode_images(probes), tower.encode_images(probes))


def convert_texts(tower: TorchTexts, folder: Path) -> None:
    """Convert a text tower; see `convert_images`."""
    tokenizer = tower.model.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise UnsuitedError("its tokenizer is of an unusual kind: take --set embedding.backend=torch")
    features = tower.model.preprocess(["two words", "and three words"])
    example = {name: features[name].numpy() for name in TEXT_INPUTS if name in features}
    limit = tokenizer.model_max_length
    about = {
        "dim": tower.dim,
        "inputs": list(example),
        "max_length": limit if limit < 1_000_000 else None,  # a tokenizer without a limit says 10 ** 30
        "padding": tokenizer.pad_token_id or 0,
    }
    with _new_folder(folder) as new:
        backend.save(str(new / "tokenizer.json"))
        _save(new, about, _trace(tower, "text", example, fixed=False))
        probes = [text for text in PROBE_TEXTS for _ in range(2)]
        _require_equal(OpenVinoTexts(new, "fp32").encode_texts(probes), tower.encode_texts(probes))


def _trace(
    tower: TorchImages | TorchTexts, modality: str, example: Mapping[str, np.ndarray], *, fixed: bool
) -> openvino.Model:
    """Turn a tower's own modules into a graph that gives unit vectors, of inputs in the order of the example."""
    import torch

    ov = load_openvino()
    failures: tuple[type[Exception], ...] = (
        *(RuntimeError, ValueError, TypeError, LookupError, AttributeError),
        *(ov.frontend.OpConversionFailure, ov.frontend.GeneralFailure),
    )
    shapes = [array.shape if fixed else ov.PartialShape([-1] * array.ndim) for array in example.values()]

    class Traced(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tower = tower.model

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            features: dict[str, Any] = {**dict(zip(example, inputs, strict=True)), "modality": modality}
            for module in self.tower:
                features = module(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=1)

    try:
        with torch.no_grad(), quiet_libraries(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.jit, which OpenVINO uses, about itself
            tensors = tuple(torch.from_numpy(array) for array in example.values())
            return ov.convert_model(Traced(), example_input=tensors, input=shapes)
    except failures as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise UnsuitedError(
            f"OpenVINO cannot convert it ({why}): take --set embedding.backend=torch"
        ) from error


def _require_equal(vectors: np.ndarray, expected: np.ndarray) -> None:
    difference = float(np.abs(vectors - expected).max())
    if not difference <= TOLERANCE:
        raise UnsuitedError(
            f"converted for OpenVINO, its numbers differ by up to {difference:.1e}: take --set embedding.backend=torch"
        )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of whatever was there; half a folder never does."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(
            dir=folder.parent, prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True
        ) as temporary:
            yield Path(temporary)
            if not is_whole(folder):  # another process may have been faster
                shutil.rmtree(folder, ignore_errors=True)
                Path(temporary).rename(folder)
    except OSError as error:
        raise ConceptError(
            f"{folder.parent}: cannot keep converted models: {error.strerror or error}; name another folder with "
            "CONCEPT_CACHE, or take --set embedding.backend=torch"
        ) from error


def _save(folder: Path, about: Mapping[str, Any], network: openvino.Model) -> None:
    """Write what a tower is made of; what is in the folder already belongs to it."""
    load_openvino().save_model(network, str(folder / _NETWORK), compress_to_fp16=False)
    digests = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
    (folder / "about.json").write_bytes(canonical_json({**about, "files": digests}))
