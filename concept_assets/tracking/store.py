"""The MLflow store: how it is opened, and what is said where it cannot be."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from concept_lib.settings import Tracking
from concept_lib.storage import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT, REFRESH, HOME = "experiment", "refresh_id", "home"
"""Tags: an experiment's name, on its runs alone; the refresh that a run logs or starts from; whose runs they are."""
NOTE, PARENT = "mlflow.note.content", "mlflow.parentRunId"  # tags that MLflow's pages know
NAMED = "mlflow.runName"


@dataclass(frozen=True, slots=True)
class Store:
    """An MLflow store that answered.

    Parameters
    ----------
    client
        Talks to it.
    experiment_id
        Of the MLflow experiment that the settings name.
    """

    client: MlflowClient
    experiment_id: str

    def end_left_runs(self, home: Home, *, experiments: bool) -> None:
        """Mark the runs of dead processes: those of refreshes, or those of experiments.

        The caller holds the lock under which such runs are made, so that none of them is alive.
        """
        for left in self.client.search_runs([self.experiment_id], "attributes.status = 'RUNNING'"):
            tags = left.data.tags
            if tags.get(HOME) == str(home.path) and (EXPERIMENT in tags) == experiments:
                self.client.set_terminated(left.info.run_id, "KILLED")


def open_store(home: Home, section: Tracking) -> Store:
    """Open the store that the settings name; a new one is made under a lock, since its migrations stand no company."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    from filelock import FileLock
    from mlflow import MlflowClient

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # tells each table it makes
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if section.uri is not None:
        client = MlflowClient(section.uri)
        return Store(client, _experiment(client, section, None))
    with FileLock(home.mlflow_database.with_suffix(".lock")):
        client = MlflowClient(tracking_uri(home, section))
        return Store(client, _experiment(client, section, home.mlflow_artifacts.as_uri()))


def tracking_uri(home: Home, section: Tracking) -> str:
    """Address of the store, as MLflow takes it."""
    return section.uri or f"sqlite:///{home.mlflow_database}"


def _experiment(client: MlflowClient, section: Tracking, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(section.experiment)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(section.experiment, artifact_location=artifacts))


def store_errors() -> tuple[type[Exception], ...]:
    """What MLflow raises when its store is out of reach."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, SQLAlchemyError, OSError)


def trouble(home: Home, section: Tracking, error: Exception) -> str:
    """What is wrong with the store, and what to do, in one line."""
    text = str(error)
    place = section.uri or str(home.mlflow_database)
    if "database is locked" in text:
        return f"the MLflow store {place} is locked by another program; end what writes to it, then try again"
    if "database schema" in text or "Can't locate revision" in text:
        return (
            f"the MLflow store {place} is of another MLflow release; use that release, or back it up and run: "
            f"mlflow db upgrade {tracking_uri(home, section)}"
        )
    if "Max retries exceeded" in text:
        return f"MLflow does not answer at {place}; start its server, or give another tracking.uri"
    first = (text.splitlines() or [type(error).__name__])[0]
    return f"the MLflow store {place} cannot be used: {first[:200]}"


def experiment_of(home: Home, section: Tracking, run_id: str, warn: Callable[[str], None]) -> str | None:
    """Experiment of a run, which the address of its page names; None, with a warning, where it cannot be asked for."""
    try:
        return str(open_store(home, section).client.get_run(run_id).info.experiment_id)
    except store_errors() as error:
        warn(f"the page of MLflow run {run_id} is not linked: {trouble(home, section, error)}")
        return None


def milliseconds(moment: datetime) -> int:
    """Time as MLflow counts it."""
    return int(moment.timestamp() * 1000)
