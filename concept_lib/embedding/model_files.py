"""Where a model lies and which model it is, told from its files alone: nothing here loads torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from concept_lib.embedding.arithmetic import Arithmetic, choices
from concept_lib.embedding.hub import snapshot
from concept_lib.embedding.verdicts import stored_verdict
from concept_lib.errors import ConceptError
from concept_lib.modeling.naming import Hedging
from concept_lib.storage import canonical_json, file_digest

DEMO = "demo"
DEFAULT_OWNER = "sentence-transformers"  # of hub names without an owner, as that library has it
TEXT_ONLY = {"clip-ViT-B-32-multilingual-v1": "clip-ViT-B-32"}  # text tower: the model of its images
PIXELS = 2  # raise it when the scaling before the model's own preprocessing changes: the vectors do too

_WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
_OLD_WEIGHTS = ("pytorch_model*.bin", "pytorch_model*.bin.index.json")  # read where the others are absent
_CONFIGS = ("config.json", "modules.json", "sentence_*_config.json")
_READ_BY = {
    "image": ("preprocessor_config.json", "processor_config.json"),
    "text": (
        "config_sentence_transformers.json",  # prompts
        "tokenizer*.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.*",
        "merges.txt",
        "*.model",
    ),
}


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine.

    Parameters
    ----------
    name
        As the user gave it.
    folder
        Where its files lie.
    origin
        Repository and commit of a hub model; None for a folder.
    """

    name: str
    folder: Path
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic curve from the cosine of an image and a word to a confidence in 0..1.

    Parameters
    ----------
    midpoint
        Cosine at which the confidence is one half.
    scale
        Cosine over which its log-odds change by one.
    hedging
        When concepts get a more general noun, for models whose makers say so.
    """

    midpoint: float
    scale: float
    hedging: Hedging | None = None


CLIP_CALIBRATION = Calibration(0.24, 0.02)
"""For OpenAI's CLIP models and their descendants, whose cosines are about 0.2 for a word that has nothing
to do with an image and 0.27 to 0.33 for one that names it; a model folder with a ``confidence.json`` says
better."""


def tower_names(
    model: str, text_model: str | None, revision: str | None
) -> tuple[tuple[str, str | None], tuple[str, str | None]]:
    """Name and revision of the image tower, then of the text tower.

    Examples
    --------
    >>> tower_names("clip-ViT-B-32", None, None)
    (('clip-ViT-B-32', None), ('clip-ViT-B-32', None))
    >>> tower_names("clip-ViT-B-32-multilingual-v1", None, None)
    (('clip-ViT-B-32', None), ('clip-ViT-B-32-multilingual-v1', None))
    """
    images = TEXT_ONLY.get(model.removeprefix(f"{DEFAULT_OWNER}/"))
    if images is None or Path(model).is_dir():
        return (model, revision), (text_model, None) if text_model else (model, revision)
    # The revision is a commit of the model that was named, which gives the words here.
    return (images, None), (text_model, None) if text_model else (model, revision)


def locate(model: str, revision: str | None = None) -> ModelFiles:
    """Find a model's folder, fetching it from the hub when it is not here.

    Raises
    ------
    ConceptError
        When there is no such model, or the hub that has it cannot be reached.
    """
    folder = _demo_folder() if model == DEMO else Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ConceptError(f"revision {revision} is for a model of the hub, and {model} is a folder")
        if not any((folder / name).is_file() for name in ("config.json", "modules.json")):
            raise ConceptError(f"{model} is no model folder: it has neither config.json nor modules.json")
        return ModelFiles(model, folder)
    if folder.exists():
        raise ConceptError(f"{model} is a file; give the folder of a model, or its name on the hub")
    if model == DEMO:
        raise ConceptError("the demo model is missing from this installation; install concept-atlas again")
    if model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model:
        raise ConceptError(f"model folder not found: {model}")
    repository = model if "/" in model else f"{DEFAULT_OWNER}/{model}"
    folder = snapshot(repository, revision)
    return ModelFiles(model, folder, f"{repository}@{folder.name}")


def tower_content(files: ModelFiles, role: str) -> object:
    """What tells the files of one tower from those of any other: a commit, or their digests.

    Parameters
    ----------
    role
        ``image`` or ``text``: a tokenizer has no say in images, nor a preprocessor in texts.
    """
    return files.origin or [
        (path.relative_to(files.folder).as_posix(), _digest(path)) for path in _files_read(files, role)
    ]


def _digest(path: Path) -> str:
    """SHA-256 of a file, read once by a process while its size, time and inode stay the same.

    Both towers are often one file of hundreds of megabytes, and a server asks again and again.
    """
    status = path.stat()
    return _digest_of(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(256)
def _digest_of(path: Path, size: int, mtime_ns: int, inode: int) -> str:  # noqa: ARG001 - what tells it is another
    return file_digest(path)


def tower_fingerprint(content: object, role: str, arithmetic: Arithmetic) -> str:
    """Hash of all that bears on the vectors of one tower; the device is no part of it."""
    parts = {
        "tower": role,
        "content": content,
        "backend": arithmetic.backend,
        "precision": arithmetic.precision,
        "pixels": PIXELS if role == "image" else None,
    }
    return hashlib.sha256(canonical_json(parts)).hexdigest()[:32]


def model_fingerprint(
    model: str,
    revision: str | None = None,
    *,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
) -> str:
    """Fingerprint of the image tower, without loading it.

    Equal to `Encoder.fingerprint`, unless the model is yet to be loaded here for the first time and then turns
    out not to suit the fastest arithmetic. A hub model that is not on this machine is fetched.
    """
    (name, pinned), _ = tower_names(model, None, revision)
    return _expected(locate(name, pinned), "image", choices(device, backend, precision))


def text_fingerprint(
    model: str,
    text_model: str | None = None,
    revision: str | None = None,
    *,
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
) -> str:
    """Fingerprint of the text tower, without loading it; equal to `Encoder.text_fingerprint` likewise."""
    _, (name, pinned) = tower_names(model, text_model, revision)
    return _expected(locate(name, pinned), "text", choices(device, backend, precision))


def _expected(files: ModelFiles, role: str, possible: Sequence[Arithmetic]) -> str:
    """Fingerprint of the first arithmetic that no verdict refuses; of the last where all are refused."""
    content = tower_content(files, role)
    for arithmetic in possible:
        fingerprint = tower_fingerprint(content, role, arithmetic)
        if stored_verdict(fingerprint, arithmetic)[1] is None:
            break
    return fingerprint


def load_calibration(files: ModelFiles) -> Calibration:
    """Read ``confidence.json`` in the model's folder; `CLIP_CALIBRATION` where there is none."""
    path = files.folder / "confidence.json"
    if not path.is_file():
        return CLIP_CALIBRATION
    try:
        given = dict(json.loads(path.read_bytes()))
        hedging = Hedging(**given["hedging"]) if given.get("hedging") else None
        calibration = Calibration(float(given["midpoint"]), float(given["scale"]), hedging)
    except (ValueError, KeyError, TypeError) as error:
        raise ConceptError(
            f'{path}: takes {{"midpoint": number, "scale": number}}, and "hedging": '
            '{"sharpness": number, "share": number, "covers": {noun: [words]}} or none'
        ) from error
    if not calibration.scale > 0:
        raise ConceptError(f"{path}: scale takes a number above 0")
    return calibration


def pixel_size(model: str, revision: str | None = None) -> int | None:
    """Shorter side in pixels to which the image tower scales, without loading it; None where its files do not say."""
    (name, pinned), _ = tower_names(model, None, revision)
    for folder in _module_folders(locate(name, pinned).folder):
        for file in _READ_BY["image"]:
            side = _side(folder / file)
            if side is not None:
                return side
    return None


def _side(path: Path) -> int | None:
    """The ``size`` of an image processor's file; None where it is absent or odd, which loading will tell."""
    try:
        given = json.loads(path.read_bytes())
        size = given.get("image_processor", given)["size"]
        if isinstance(size, dict):
            size = size.get("shortest_edge") or max(size["height"], size["width"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return size if isinstance(size, int) else None


def _demo_folder() -> Path:
    """Folder of the model that comes with the package."""
    return Path(str(resources.files("concept_lib.embedding") / "demo_model" / "weights"))


def _module_folders(folder: Path) -> list[Path]:
    """Folders of the modules that make up a sentence-transformers model; a plain model is its own."""
    listing = folder / "modules.json"
    if not listing.is_file():
        return [folder]
    try:
        paths = [module["path"] for module in json.loads(listing.read_bytes())]
    except (ValueError, KeyError, TypeError) as error:
        raise ConceptError(f"{listing} is damaged: it takes a list of modules with a path each") from error
    return [folder, *(folder / path for path in paths if path)]


def _files_read(files: ModelFiles, role: str) -> list[Path]:
    """Files that loading one tower reads; model cards and what training left are not among them."""
    read: set[Path] = set()
    for folder in _module_folders(files.folder):
        weights = _matching(folder, _WEIGHTS) or _matching(folder, _OLD_WEIGHTS)
        read |= weights | _matching(folder, _CONFIGS + _READ_BY[role])
    return sorted(read)


def _matching(folder: Path, patterns: tuple[str, ...]) -> set[Path]:
    """Files of one folder, not of those below it."""
    return {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
