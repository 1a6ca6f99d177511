"""MLflow: one run a refresh, with its settings, metrics, collages and concept table."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from PIL import Image

from concept_lib.pictures.figure import overview_figure
from concept_lib.settings import Settings, Tracking
from concept_lib.storage import Home, write_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

COLLAGE_PIXELS = 256
LARGEST = 9
PICTURES = (
    "collages",
    "table_images",
    "overview.png",
)  # artifacts of a run; the last one tells that it is ours


@dataclass(frozen=True, slots=True)
class Tracked:
    """What a refresh tells MLflow.

    Parameters
    ----------
    title
        Name of the run: what happened.
    started_at
        When the refresh began.
    tags, metrics, settings
        As they are logged.
    concepts
        ``concepts`` table of the present, largest first.
    source, digest
        The image folder and its version.
    """

    title: str
    started_at: datetime
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    settings: Settings
    concepts: pa.Table
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
    client, run_id = None, None
    if refresh.settings.tracking.enabled:
        try:
            client = _client(home, refresh.settings.tracking)
            run_id = _create(client, home, refresh)
            _log(client, home, run_id, refresh)
        except _errors() as error:
            warn(f"MLflow cannot be reached, so this refresh is not tracked: {_line(error)}")
            _end(client, run_id, "FAILED", warn)
            run_id = None
    started = time.monotonic()
    try:
        yield run_id
    except BaseException:
        _end(client, run_id, "FAILED", warn)
        raise
    _end(client, run_id, "FINISHED", warn, seconds=time.monotonic() - started)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _errors() -> tuple[type[Exception], ...]:
    """What MLflow raises when its store is out of reach."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)


def _end(
    client: MlflowClient | None,
    run_id: str | None,
    status: str,
    warn: Callable[[str], None],
    *,
    seconds: float | None = None,
) -> None:
    """End a run, if there is one; publication's own time is known only now."""
    if client is None or run_id is None:
        return
    try:
        if seconds is not None:
            client.log_metric(run_id, "seconds_publication", seconds)
        client.set_terminated(run_id, status)
    except _errors() as error:
        warn(f"MLflow was lost before its run ended: {_line(error)}")


def _client(home: Home, section: Tracking) -> MlflowClient:
    """Open the store; a new one is made under a lock, since its migrations do not stand company."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from filelock import FileLock
    from mlflow import MlflowClient

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # tells each table it makes
    logging.getLogger("alembic").setLevel(logging.WARNING)

    if section.uri is not None:
        return MlflowClient(section.uri)
    with FileLock(home.mlflow_database.with_suffix(".lock")):
        client = MlflowClient(f"sqlite:///{home.mlflow_database}")
        client.search_experiments(max_results=1)
    return client


def _experiment(client: MlflowClient, home: Home, section: Tracking) -> str:
    found = client.get_experiment_by_name(section.experiment)
    if found is not None:
        return str(found.experiment_id)
    place = home.mlflow_artifacts.as_uri() if section.uri is None else None
    return client.create_experiment(section.experiment, artifact_location=place)


def _create(client: MlflowClient, home: Home, refresh: Tracked) -> str:
    experiment = _experiment(client, home, refresh.settings.tracking)
    tags = {**refresh.tags, "home": str(home.path)}
    for left in client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if left.data.tags.get("home") == tags["home"]:  # its process is dead: we hold the lock on the home
            client.set_terminated(left.info.run_id, "KILLED")
    run = client.create_run(experiment, _milliseconds(refresh), tags, refresh.title)
    return str(run.info.run_id)


def _milliseconds(refresh: Tracked) -> int:
    return int(refresh.started_at.timestamp() * 1000)


def _log(client: MlflowClient, home: Home, run_id: str, refresh: Tracked) -> None:
    """Log everything but the end of the run."""
    from mlflow.entities import Metric, Param

    params = [
        Param(f"{section}.{name}", str(value))
        for section, part in refresh.settings.model_dump().items()
        for name, value in part.items()
    ]
    metrics = [Metric(name, value, _milliseconds(refresh), 0) for name, value in refresh.metrics.items()]
    client.log_batch(run_id, metrics=metrics, params=params)
    _log_dataset(client, run_id, refresh)
    _log_pictures(client, home, run_id, refresh)


def _log_dataset(client: MlflowClient, run_id: str, refresh: Tracked) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({"num_rows": int(refresh.metrics["images"])})
    source = json.dumps({"uri": refresh.source})
    dataset = Dataset("image_folder", refresh.digest[:36], "local", source, None, profile)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "refresh")])])


def _log_pictures(client: MlflowClient, home: Home, run_id: str, refresh: Tracked) -> None:
    """Log the collages, the overview of the largest concepts, and the table that compares runs."""
    import mlflow

    rows = refresh.concepts.to_pylist()
    shown = rows[: refresh.settings.tracking.max_collages]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table: dict[str, list[Any]] = {
            name: [] for name in ("concept", "label", "images", "confidence", "collage")
        }
        for row in shown:
            with Image.open(home.path / row["collage"]) as collage:
                small = collage.convert("RGB")
            small.thumbnail((COLLAGE_PIXELS, COLLAGE_PIXELS), Image.Resampling.LANCZOS)
            (folder / "collages").mkdir(exist_ok=True)
            small.save(folder / "collages" / f"concept_{row['concept_id']:05d}.png")
            values = (
                row["concept_id"],
                row["label"],
                row["n_images"],
                row["label_confidence"],
                mlflow.Image(small),
            )
            for name, value in zip(table, values, strict=True):
                table[name].append(value)
        write_file(folder / "overview.png", _overview(home, rows[:LARGEST]), durable=False)
        client.log_artifacts(run_id, str(folder))
    if shown:
        client.log_table(run_id, table, "concepts.json")


def _overview(home: Home, rows: list[dict[str, Any]]) -> bytes:
    collages = []
    for row in rows:
        with Image.open(home.path / row["collage"]) as collage:
            collages.append(collage.convert("RGB"))
    return overview_figure(
        collages, [row["label"] for row in rows], [f"{row['n_images']:,} images" for row in rows]
    )


def remove_pictures(
    home: Home, runs: Mapping[str, str | None], innocent: Collection[str | None]
) -> list[str]:
    """Remove the pictures of runs from the home's own store.

    Parameters
    ----------
    home
        Whose store it is.
    runs
        Tracking URI by run, for each whose pictures must go; None for the home's own store.
    innocent
        Runs whose pictures stay. A run that is neither was never published, and its pictures go as well.

    Returns
    -------
    list of str
        A line for each run whose pictures lie elsewhere, and must be removed by hand.
    """
    for folder in home.mlflow_artifacts.glob("*/artifacts"):
        if folder.parent.name not in innocent and (folder / PICTURES[-1]).is_file():
            shutil.rmtree(folder / PICTURES[0], ignore_errors=True)
            shutil.rmtree(folder / PICTURES[1], ignore_errors=True)
            (folder / PICTURES[-1]).unlink()
    return [
        f"remove by hand {', '.join(PICTURES)} of MLflow run {run_id} at {uri or 'its place outside this home'}"
        for run_id, uri in runs.items()
        if uri is not None or not (home.mlflow_artifacts / run_id).is_dir()
    ]


def experiment_of(home: Home, section: Tracking, run_id: str, warn: Callable[[str], None]) -> str | None:
    """Experiment of a run, which the address of its page names; None, with a warning, where it cannot be asked for."""
    try:
        return str(_client(home, section).get_run(run_id).info.experiment_id)
    except _errors() as error:
        warn(f"MLflow cannot be asked for the page of run {run_id}: {_line(error)}")
        return None
