"""What one refresh adds to the history: its row, its concepts, events and moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from concept_lib.curation import Actions
from concept_lib.database.history import PAST_SCHEMAS
from concept_lib.database.state import Published
from concept_lib.modeling.events import ConceptEvent, ConceptState, EventRules, concept_events, image_moves
from concept_lib.modeling.identity import drift, overlap, survivors
from concept_lib.modeling.quality import stability
from concept_lib.settings import Settings
from concept_lib.storage import canonical_json

WHAT = {"image_folder": "other files", "vocabulary_source": "other words", "curation": "your decisions"}
"""How a title tells of an external input that changed; a section of the settings is told by its name."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of one refresh, besides what its tables show.

    Parameters
    ----------
    refresh_id
        Its number.
    mode
        ``fit``, ``assigned``, ``kept`` or ``rollback``.
    reason
        Why there was a new fit.
    started_at, published_at
        With time zone.
    dagster_run_id, mlflow_run_id
        The runs that made and logged it.
    n_embedded
        Images whose vectors were computed now.
    metrics
        What MLflow gets.
    settings
        All settings; those of ``identity`` say from when on a change is an event.
    data_versions
        ``{"assets": {asset: {"fingerprint", "data_version"}}, "inputs": {input: version}}``.
    actions
        What the user decided, as this refresh found it.
    restored
        Row of the refresh that a rollback brought back.
    """

    refresh_id: int
    mode: str
    reason: str | None
    title: str
    started_at: datetime
    published_at: datetime
    dagster_run_id: str
    mlflow_run_id: str | None
    n_embedded: int
    metrics: Mapping[str, float]
    settings: Settings
    data_versions: Mapping[str, Any]
    actions: Actions
    restored: Mapping[str, Any] | None = None


def assignment_of(concept_images: pa.Table) -> dict[str, int]:
    """Concept of each image, -1 for outliers."""
    return dict(
        zip(concept_images["image_id"].to_pylist(), concept_images["concept_id"].to_pylist(), strict=True)
    )


def title_of(before: Published, after: Mapping[str, int], mode: str, changed: Sequence[str]) -> str:
    """Say what happened in a few words, such as ``+120 -3 images, fit``.

    Parameters
    ----------
    before
        The published state that it started from.
    after
        Concept of each image.
    mode
        Of the refresh.
    changed
        External inputs that are others than before; told where the images are the same.
    """
    added = len(after.keys() - before.assignment.keys())
    removed = len(before.assignment.keys() - after.keys())
    parts = ([f"+{added:,}"] if added else []) + ([f"-{removed:,}"] if removed else [])
    if parts or before.refresh_id is None:
        return f"{' '.join(parts) or 'no'} images, {mode}"
    what = [WHAT.get(name, name.replace("settings/", "") + " settings") for name in changed]
    return f"{', '.join(['same images', *what])}, {mode}"


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
        ``refreshes`` (one row), ``concept_history``, ``concept_events``, ``image_moves``, ``curation`` (all rows).
    """
    number = {"refresh_id": account.refresh_id}
    after, drifts = assignment_of(present["concept_images"]), _drifts(before, present)
    moves = [{**number, **move} for move in image_moves(before.assignment, after)]
    concepts = present["concepts"].to_pylist()
    rows = {
        "refreshes": [_refresh_row(before, present, account)],
        "concept_history": [{**number, **row, "drift": drifts.get(row["concept_id"])} for row in concepts],
        "concept_events": [{**number, **event} for event in _events(before, present, account.settings)],
        "image_moves": moves,
        "curation": curation_rows(before.curation, account.actions, account.refresh_id),
    }
    return {name: pa.Table.from_pylist(rows[name], schema=schema) for name, schema in PAST_SCHEMAS.items()}


def curation_rows(
    known: Sequence[Mapping[str, Any]], actions: Actions, refresh_id: int
) -> list[Mapping[str, Any]]:
    """Rows of ``curation`` as of a refresh, by number: what it obeys for the first time and what it no longer obeys.

    An action that was taken back before any refresh obeyed it never was.

    Parameters
    ----------
    known
        Rows as of the refresh before.
    actions
        What the home's file lists.
    refresh_id
        This refresh.
    """
    standing = {action.number: action for action in actions if not action.undone}
    rows = {row["action_no"]: row for row in known}
    for number, action in standing.items():
        told = action.model_dump(exclude={"number", "undone"})
        rows.setdefault(
            number, {"refresh_id": refresh_id, "action_no": number, **told, "undone_refresh_id": None}
        )
    ends = {number for number, row in rows.items() if row["undone_refresh_id"] is None} - standing.keys()
    return [
        {**rows[number], "undone_refresh_id": refresh_id} if number in ends else rows[number]
        for number in sorted(rows)
    ]


def stability_metrics(
    before: Published, present: Mapping[str, pa.Table], settings: Settings
) -> dict[str, float]:
    """How much of the published state lasts in the next, in figures to plot.

    Returns
    -------
    dict
        ``ids_kept``, ``ids_kept_bound``, ``ari``, ``moved``, ``born``, ``died`` and ``mean_drift``; those that mean
        nothing, as all do at the first refresh, are left out.
    """
    if before.refresh is None:
        return {}
    was, now = survivors(before.assignment, assignment_of(present["concept_images"]))
    living = set(present["concepts"]["concept_id"].to_pylist())
    drifts = list(_drifts(before, present).values())
    figures = {
        **stability(was, now, settings.identity.min_jaccard),
        "born": float(len(living - before.concepts.keys())),
        "died": float(len(before.concepts.keys() - living)),
        "mean_drift": float(np.mean(drifts)) if drifts else float("nan"),
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _events(before: Published, present: Mapping[str, pa.Table], settings: Settings) -> list[ConceptEvent]:
    """What happened to concepts, from when on the settings say that it counts."""
    found = overlap(*survivors(before.assignment, assignment_of(present["concept_images"])))
    rules = EventRules(**settings.identity.model_dump(include=set(EventRules._fields)))
    return concept_events(
        {key: ConceptState(known.n_images, known.label) for key, known in before.concepts.items()},
        {
            row["concept_id"]: ConceptState(row["n_images"], row["label"])
            for row in present["concepts"].select(["concept_id", "n_images", "label"]).to_pylist()
        },
        found,
        rules,
    )


def _drifts(before: Published, present: Mapping[str, pa.Table]) -> dict[int, float]:
    """Drift of each concept that was there before, where the same model made both vectors."""
    if before.model != present["schema_info"]["model_fingerprint"][0].as_py():
        return {}
    concepts = present["concepts"]
    vectors = zip(concepts["concept_id"].to_pylist(), concepts["embedding"].to_pylist(), strict=True)
    return {
        key: drift(np.array(vector), before.concepts[key].vector)
        for key, vector in vectors
        if key in before.concepts
    }


def _refresh_row(before: Published, present: Mapping[str, pa.Table], account: Account) -> dict[str, Any]:
    statuses = Counter(present["image_files"]["status"].to_pylist())
    of_image = present["concept_images"]["concept_id"].to_pylist()
    stands = account.restored or (before.refresh if account.mode != "fit" else None)
    return {
        "refresh_id": account.refresh_id,
        "previous_refresh_id": before.refresh_id,
        "restored_refresh_id": account.restored["refresh_id"] if account.restored else None,
        "mode": account.mode,
        "fit_refresh_id": stands["fit_refresh_id"] if stands else account.refresh_id,
        "title": account.title,
        "reason": account.reason,
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
        "settings": canonical_json(account.settings.model_dump()).decode(),
        "data_versions": canonical_json(account.data_versions).decode(),
    }
