"""One MLflow run a refresh, with its settings, metrics, pictures and description."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from concept_assets.links import dagster_run_url, mlflow_runs_url
from concept_assets.tracking.notes import counted, refresh_note
from concept_assets.tracking.pictures import Shown, ShownConcept, log_pictures
from concept_assets.tracking.store import (
    HOME,
    NOTE,
    REFRESH,
    Store,
    milliseconds,
    open_store,
    store_errors,
    trouble,
)
from concept_lib.database.state import Published
from concept_lib.settings import Settings
from concept_lib.storage import Home

CHARTED = 100
"""Refreshes of which each run holds the metrics, so that its charts draw a line over them."""
REFRESHES = "tags.mode LIKE '%'"  # search for the runs of refreshes alone
MAX_BATCH = 1_000  # metrics that MLflow takes at once


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a refresh tells MLflow.

    Parameters
    ----------
    refresh_id
        Its number.
    title
        What happened.
    mode
        ``fit``, ``assigned``, ``kept`` or ``rollback``.
    reason
        Why there was a new fit; None without one.
    started_at
        When the refresh began.
    dagster_run_id
        The run that made it.
    metrics, settings
        As they are logged.
    concepts, images
        Tables ``concepts``, largest first, and ``concept_images`` of the present.
    before
        The published state that it started from.
    past
        Rows of ``refreshes``, newest first.
    source, digest
        The image folder and its version.
    """

    refresh_id: int
    title: str
    mode: str
    reason: str | None
    started_at: datetime
    dagster_run_id: str
    metrics: Mapping[str, float]
    settings: Settings
    concepts: pa.Table
    images: pa.Table
    before: Published
    past: Sequence[Mapping[str, Any]]
    source: str
    digest: str


@contextmanager
def tracked_run(home: Home, refresh: Tracked, warn: Callable[[str], None]) -> Iterator[str | None]:
    """Log a refresh, and end its run as the publication inside the block ends.

    Yields
    ------
    str or None
        Id of the run; None where tracking is off or cannot be reached, which is a warning and no error.
    """
    section = refresh.settings.tracking
    store, run_id = None, None
    if section.enabled:
        try:
            store = open_store(home, section)
            store.end_left_runs(home, experiments=False)
            run_id = _create(store, home, refresh)
            _log(store, home, run_id, refresh)
        except store_errors() as error:
            warn(f"this refresh is not tracked: {trouble(home, section, error)}")
            _end(store, run_id, refresh, "FAILED", warn)
            run_id = None
    started = time.monotonic()
    try:
        yield run_id
    except BaseException:
        _end(store, run_id, refresh, "FAILED", warn)
        raise
    _end(store, run_id, refresh, "FINISHED", warn, seconds=time.monotonic() - started)


def _end(
    store: Store | None,
    run_id: str | None,
    refresh: Tracked,
    status: str,
    warn: Callable[[str], None],
    *,
    seconds: float | None = None,
) -> None:
    """End a run, if there is one; publication's own time is known only now."""
    if store is None or run_id is None:
        return
    try:
        if seconds is not None:
            store.client.log_metric(run_id, "seconds_publication", seconds, step=refresh.refresh_id)
        store.client.set_terminated(run_id, status)
    except store_errors() as error:
        warn(
            f"MLflow was lost before its run ended: {(str(error).splitlines() or [type(error).__name__])[0]}"
        )


def _create(store: Store, home: Home, refresh: Tracked) -> str:
    tags = {
        "mode": refresh.mode,
        "dagster_run_id": refresh.dagster_run_id,
        REFRESH: str(refresh.refresh_id),
        HOME: str(home.path),
        NOTE: _note(home, store, refresh),
    }
    name = (
        f"{refresh.refresh_id}: {refresh.title}"  # the number tells "same images, fit" from the next such run
    )
    run = store.client.create_run(store.experiment_id, milliseconds(refresh.started_at), tags, name)
    return str(run.info.run_id)


def _note(home: Home, store: Store, refresh: Tracked) -> str:
    runs = partial(mlflow_runs_url, refresh.settings.tracking, store.experiment_id, search=REFRESHES)
    labels = dict(zip(*(refresh.concepts[name].to_pylist() for name in ("concept_id", "label")), strict=True))
    known = {key: concept.label for key, concept in refresh.before.concepts.items()}
    sizes = (int(refresh.metrics[name]) for name in ("images", "concepts", "outliers", "failed"))
    return refresh_note(
        title=refresh.title,
        counts=counted(*sizes),
        reason=refresh.reason,
        born=[labels[key] for key in labels if key not in known] if known else [],
        died=[known[key] for key in known if key not in labels],
        dagster_url=dagster_run_url(refresh.dagster_run_id),
        charts_url=runs("CHART"),
        collages_url=runs("ARTIFACT"),
        database=home.database,
    )


def _log(store: Store, home: Home, run_id: str, refresh: Tracked) -> None:
    """Log everything but the end of the run."""
    from mlflow.entities import Metric, Param

    params = [Param(name, value) for name, value in refresh.settings.compared().items()]
    store.client.log_batch(run_id, params=params)
    moment = milliseconds(refresh.started_at)
    metrics = [Metric(name, value, moment, refresh.refresh_id) for name, value in refresh.metrics.items()]
    for row in refresh.past[: CHARTED - 1]:
        then = milliseconds(row["started_at"])
        metrics += [Metric(name, value, then, row["refresh_id"]) for name, value in row["metrics"]]
    for start in range(0, len(metrics), MAX_BATCH):
        store.client.log_batch(run_id, metrics=metrics[start : start + MAX_BATCH])
    _log_dataset(store, run_id, refresh)
    log_pictures(store.client, run_id, _shown(home, refresh), refresh.settings.tracking.max_collages)


def _log_dataset(store: Store, run_id: str, refresh: Tracked) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({"num_rows": int(refresh.metrics["images"])})
    source = json.dumps({"uri": refresh.source})
    dataset = Dataset(Path(refresh.source).name[:500], refresh.digest[:8], "local", source, None, profile)
    store.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "refresh")])])


def _shown(home: Home, refresh: Tracked) -> Shown:
    concepts = [
        ShownConcept(
            row["concept_id"],
            row["label"],
            row["n_images"],
            row["label_confidence"],
            partial(_opened, home.path / row["collage"]),
        )
        for row in refresh.concepts.drop_columns(["embedding"]).to_pylist()
    ]
    plane = np.column_stack([refresh.images[name].to_numpy() for name in ("map_x", "map_y")])
    title = f"Refresh {refresh.refresh_id}: {refresh.title}"
    return Shown(title, concepts, plane, refresh.images["concept_id"].to_numpy())


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as collage:
        return collage.convert("RGB")
