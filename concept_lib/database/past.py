"""What one refresh adds to the history: its row, its concepts, events and moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from concept_lib.database.history import PAST_SCHEMAS
from concept_lib.database.state import Published
from concept_lib.modeling.identity import ConceptState, concept_events, image_moves
from concept_lib.storage import canonical_json


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of one refresh, besides what its tables show.

    Parameters
    ----------
    refresh_id
        Its number.
    mode
        ``fit`` or ``kept``.
    started_at, published_at
        With time zone.
    dagster_run_id, mlflow_run_id
        The runs that made and logged it.
    n_embedded
        Images whose vectors were computed now.
    metrics
        What MLflow gets.
    settings
        All settings, by section.
    data_versions
        ``{"assets": {asset: {"fingerprint", "data_version"}}, "inputs": {input: version}}``.
    """

    refresh_id: int
    mode: str
    title: str
    started_at: datetime
    published_at: datetime
    dagster_run_id: str
    mlflow_run_id: str | None
    n_embedded: int
    metrics: Mapping[str, float]
    settings: Mapping[str, Any]
    data_versions: Mapping[str, Any]


def assignment_of(concept_images: pa.Table) -> dict[str, int]:
    """Concept of each image, -1 for outliers."""
    return dict(
        zip(concept_images["image_id"].to_pylist(), concept_images["concept_id"].to_pylist(), strict=True)
    )


def title_of(before: Published, after: Mapping[str, int], mode: str) -> str:
    """Say what happened in a few words, such as ``+120 -3 images, fit``."""
    added = len(after.keys() - before.assignment.keys())
    removed = len(before.assignment.keys() - after.keys())
    parts = ([f"+{added:,}"] if added else []) + ([f"-{removed:,}"] if removed else [])
    return f"{' '.join(parts) if parts else 'same'} images, {mode}"


def past_tables(before: Published, present: Mapping[str, pa.Table], account: Account) -> dict[str, pa.Table]:
    """Rows that a refresh adds to each table of the past.

    Parameters
    ----------
    before
        The published state that it started from.
    present
        Its tables of the present.
    account
        What else is told of it.

    Returns
    -------
    dict
        ``refreshes`` (one row), ``concept_history``, ``concept_events``, ``image_moves``.
    """
    after = assignment_of(present["concept_images"])
    concepts = present["concepts"].to_pylist()
    states_before = {key: ConceptState(known.n_images, known.label) for key, known in before.concepts.items()}
    states_after = {row["concept_id"]: ConceptState(row["n_images"], row["label"]) for row in concepts}
    number = {"refresh_id": account.refresh_id}
    events = [{**number, **event} for event in concept_events(states_before, states_after)]
    moves = [{**number, **move} for move in image_moves(before.assignment, after)]
    same_model = before.model == present["schema_info"]["model_fingerprint"][0].as_py()
    history = [{**number, **row, "drift": _drift(row, before) if same_model else None} for row in concepts]
    rows = {
        "refreshes": [_refresh_row(before, present, account)],
        "concept_history": history,
        "concept_events": events,
        "image_moves": moves,
    }
    return {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in PAST_SCHEMAS.items()}


def _drift(row: Mapping[str, Any], before: Published) -> float | None:
    """1 - cosine of a concept's vector to its last; None for a new concept."""
    known = before.concepts.get(row["concept_id"])
    if known is None:
        return None
    cosine = float(np.dot(np.asarray(row["embedding"], np.float64), known.vector))
    return max(0.0, 1.0 - cosine)


def _refresh_row(before: Published, present: Mapping[str, pa.Table], account: Account) -> dict[str, Any]:
    statuses = Counter(present["image_files"]["status"].to_pylist())
    of_image = present["concept_images"]["concept_id"].to_pylist()
    stands = before.refresh if account.mode != "fit" else None
    return {
        "refresh_id": account.refresh_id,
        "previous_refresh_id": before.refresh_id,
        "restored_refresh_id": None,
        "mode": account.mode,
        "fit_refresh_id": stands["fit_refresh_id"] if stands else account.refresh_id,
        "title": account.title,
        "reason": None,
        "started_at": account.started_at,
        "published_at": account.published_at,
        "dagster_run_id": account.dagster_run_id,
        "mlflow_run_id": account.mlflow_run_id,
        "n_files": sum(statuses.values()),
        "n_failed": statuses["failed"],
        "n_images": len(of_image),
        "n_embedded": account.n_embedded,
        "n_reused": len(of_image) - account.n_embedded,
        "n_concepts": present["concepts"].num_rows,
        "n_outliers": of_image.count(-1),
        "metrics": sorted(account.metrics.items()),
        "settings": canonical_json(account.settings).decode(),
        "data_versions": canonical_json(account.data_versions).decode(),
    }
