"""Which models suit which arithmetic: measured once for each, and kept for all homes of this user."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

from concept_lib.caches import machine_cache
from concept_lib.embedding.arithmetic import Arithmetic
from concept_lib.storage import canonical_json, write_file

LEAST_COSINE = 0.9999
"""Half precision suits a model whose vectors keep at least this cosine to those of fp32."""


class UnsuitedError(Exception):
    """A model does not suit an arithmetic; says why, and what to do."""


def least_cosine(vectors: np.ndarray, reference: np.ndarray) -> float:
    """Smallest cosine of two sets of unit vectors, row by row.

    Examples
    --------
    >>> least_cosine(np.eye(2, dtype=np.float32), np.float32([[1, 0], [0.6, 0.8]]))
    0.8
    """
    return round(float((vectors.astype(np.float64) * reference).sum(axis=1).min()), 6)


def require_closeness(precision: str, vectors: np.ndarray, reference: np.ndarray) -> None:
    """Raise `UnsuitedError` where half precision moves a vector further than `LEAST_COSINE`."""
    cosine = least_cosine(vectors, reference)
    if not cosine >= LEAST_COSINE:
        raise UnsuitedError(
            f"in {precision} the cosine to fp32 falls to {cosine}, below {LEAST_COSINE}: "
            "take --set embedding.precision=fp32"
        )


def store_verdict(fingerprint: str, arithmetic: Arithmetic, refusal: str | None) -> None:
    """Keep that a tower suits an arithmetic (None), or why it does not."""
    verdict = {"by": version(arithmetic.backend), "refusal": refusal}
    write_file(_path(fingerprint), canonical_json(verdict), durable=False)


def stored_verdict(fingerprint: str, arithmetic: Arithmetic) -> tuple[bool, str | None]:
    """Whether there is a verdict of this version of the backend, and the reason of its refusal."""
    try:
        verdict = json.loads(_path(fingerprint).read_bytes())
        if verdict["by"] == version(arithmetic.backend):
            return True, verdict["refusal"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or a damaged one: it is measured again
    return False, None


def _path(fingerprint: str) -> Path:
    return machine_cache() / "verdicts" / f"{fingerprint}.json"
