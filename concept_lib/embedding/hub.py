"""Models of the Hugging Face hub: the copy that is here, else a download, else a plain error."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from concept_lib.embedding.quiet import quiet_libraries
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

TIMEOUT_S = 5.0  # for the first answer; without one the hub counts as out of reach

_OTHER_FORMATS = ("*.msgpack", "*.h5", "*.ot", "*.onnx", "*.onnx_data", "*openvino*", "*.tflite", "*.gguf")
_logger = logging.getLogger(__name__)


def snapshot(repository: str, revision: str | None = None) -> Path:
    """Folder of a model in the local cache, which is asked first; it is named by the model's commit.

    Parameters
    ----------
    repository
        "owner/name".
    revision
        Commit, tag or branch; the main branch, as it was when it was fetched, by default.

    Raises
    ------
    ConceptError
        When the model is not here and cannot be fetched.
    """
    from huggingface_hub import errors as hub

    http_error: type[Exception] = hub.HfHubHTTPError.__bases__[0]  # the HTTP library's own base, old or new
    try:
        return _local(repository, revision) or _download(repository, revision)
    except hub.HFValidationError as error:
        raise ConceptError(f"{repository} is neither a folder nor a name that a model can have") from error
    except (hub.RepositoryNotFoundError, hub.RevisionNotFoundError) as error:
        wanted = repository if revision is None else f"{repository} at revision {revision}"
        raise ConceptError(f"the hub has no model {wanted}, or does not show it to you") from error
    except (http_error, ConnectionError, TimeoutError, hub.LocalEntryNotFoundError) as error:
        raise ConceptError(
            f"model {repository} is not on this machine and the hub cannot be reached: connect once so that it "
            "is fetched, give the folder of a model, or take the built-in one with --model demo"
        ) from error
    except OSError as error:
        raise ConceptError(f"model {repository} cannot be stored: {error.strerror or error}") from error


def _local(repository: str, revision: str | None) -> Path | None:
    """Snapshot in the local cache, if it has weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder: str | None = snapshot_download(repository, revision=revision, local_files_only=True)
    except LocalEntryNotFoundError as error:
        # A snapshot without, say, the second form of the weights counts as incomplete there, not here.
        folder = getattr(error, "snapshot_path", None)
    if folder is None:
        return None
    weights = (path for form in ("*.safetensors", "pytorch_model*.bin") for path in Path(folder).rglob(form))
    return Path(folder) if any(weights) else None


def _download(repository: str, revision: str | None) -> Path:
    """Fetch a snapshot into the local cache."""
    from huggingface_hub import HfApi, snapshot_download

    # Asked first because it takes a time limit, which snapshot_download does not.
    info = HfApi().model_info(repository, revision=revision, timeout=TIMEOUT_S)
    _logger.info("downloading %s from the hub", repository)
    with quiet_libraries():
        return Path(snapshot_download(repository, revision=revision, ignore_patterns=_not_needed(info)))


def _not_needed(info: ModelInfo) -> list[str]:
    """Patterns of what need not be fetched: other formats, and weights that come as safetensors too."""
    names = [sibling.rfilename for sibling in info.siblings or ()]
    safe = {name.rpartition("/")[0] for name in names if name.endswith(".safetensors")}
    twins = [name for name in names if name.endswith(".bin") and name.rpartition("/")[0] in safe]
    return [*_OTHER_FORMATS, *twins]
