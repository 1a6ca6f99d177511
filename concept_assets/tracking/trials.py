"""An experiment in MLflow: a run for each trial, below one run that ranks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from concept_assets.links import mlflow_run_url, mlflow_runs_url
from concept_assets.tracking.notes import counted, escaped, table
from concept_assets.tracking.pictures import Shown, log_pictures
from concept_assets.tracking.store import (
    EXPERIMENT,
    HOME,
    NOTE,
    PARENT,
    REFRESH,
    Store,
    milliseconds,
    open_store,
    store_errors,
    trouble,
)
from concept_lib.errors import ConceptError
from concept_lib.experiment.grid import point_name, refresh_command
from concept_lib.experiment.ranking import RULE, ranking_texts
from concept_lib.experiment.trial import Trial
from concept_lib.settings import Tracking
from concept_lib.storage import Home

RANKING = "ranking.json"


@dataclass(frozen=True, slots=True)
class ExperimentRun:
    """The run of an experiment while it goes on.

    Parameters
    ----------
    home, section, store
        Where it is logged.
    name
        Of the experiment; a tag of all its runs.
    refresh_id
        The refresh whose images are grouped.
    run_id
        Of the run above the trials.
    """

    home: Home
    section: Tracking
    store: Store
    name: str
    refresh_id: int
    run_id: str

    @property
    def url(self) -> str:
        """Page of the run above the trials."""
        return self.trial_url(self.run_id)

    def trial_url(self, run_id: str) -> str:
        """Page of one trial."""
        return mlflow_run_url(self.section, self.store.experiment_id, run_id)

    def log(self, trial: Trial, shown: Shown, started_at: datetime) -> str:
        """Log one trial and give its run's id; an interruption leaves it marked as killed."""
        from mlflow.entities import Metric, Param

        client, moment = self.store.client, milliseconds(started_at)
        tags = {
            EXPERIMENT: self.name,
            PARENT: self.run_id,
            REFRESH: str(self.refresh_id),
            HOME: str(self.home.path),
            NOTE: self._trial_note(trial),
        }
        params = [Param(key, value) for key, value in trial.settings.compared().items()]
        metrics = [Metric(key, value, moment, 0) for key, value in trial.metrics.items()]
        with _reached(self.home, self.section):
            run = client.create_run(self.store.experiment_id, moment, tags, point_name(trial.point))
            run_id = str(run.info.run_id)
            with _ending(self.store, run_id):
                client.log_batch(run_id, metrics=metrics, params=params)
                log_pictures(client, run_id, shown, self.section.max_collages)
        return run_id

    def log_ranking(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Log the table that ranks the trials, and show it in the description."""
        headings, cells = ranking_texts(rows)
        linked = [
            [f"[{rank}]({self.trial_url(row['run_id'])})", *map(escaped, texts)]
            for row, (rank, *texts) in zip(rows, cells, strict=True)
        ]
        note = "\n\n".join(
            [
                _headline(self.name, len(rows), self.refresh_id),
                table(headings, linked),
                RULE,
                self._side_by_side(),
            ]
        )
        with _reached(self.home, self.section):
            self.store.client.log_table(
                self.run_id, {name: [row[name] for row in rows] for name in rows[0]}, RANKING
            )
            self.store.client.set_tag(self.run_id, NOTE, note)

    def _side_by_side(self) -> str:
        search = f"tags.{PARENT} = '{self.run_id}'"
        charts, collages = (
            mlflow_runs_url(self.section, self.store.experiment_id, view, search)
            for view in ("CHART", "ARTIFACT")
        )
        return (
            f"Side by side: [figures]({charts}), [collages]({collages}). There + shows the trials; for collages choose "
            "Table: concepts.json and Compare: collage."
        )

    def _trial_note(self, trial: Trial) -> str:
        sizes = (int(trial.metrics[name]) for name in ("images", "concepts", "outliers"))
        return (
            f"**{escaped(point_name(trial.point))}**: {counted(*sizes)}.\n\n"
            f"A trial of the experiment [{escaped(self.name)}]({self.url}) on the images of refresh {self.refresh_id}. "
            f"It published nothing; to have it: `{refresh_command(trial.point)}`"
        )


@contextmanager
def tracked_experiment(
    home: Home, section: Tracking, name: str, n_trials: int, refresh_id: int
) -> Iterator[ExperimentRun]:
    """Open the run of an experiment, and end it as the block ends; an interruption marks it as killed.

    The caller holds the lock on the experiments of the home.

    Raises
    ------
    ConceptError
        When MLflow is switched off or cannot be reached.
    """
    if not section.enabled:
        raise ConceptError(
            "an experiment is read in MLflow, and tracking.enabled is false; take it back with: concept refresh --set "
            "tracking.enabled="
        )
    with _reached(home, section):
        store = open_store(home, section)
        store.end_left_runs(home, experiments=True)
        tags = {
            EXPERIMENT: name,
            REFRESH: str(refresh_id),
            HOME: str(home.path),
            NOTE: _headline(name, n_trials, refresh_id),
        }
        now = milliseconds(datetime.now(UTC))
        run = store.client.create_run(store.experiment_id, now, tags, name)
    with _ending(store, run.info.run_id):
        yield ExperimentRun(home, section, store, name, refresh_id, run.info.run_id)


@contextmanager
def _ending(store: Store, run_id: str) -> Iterator[None]:
    """End a run as its block ends."""
    try:
        yield
    except BaseException as error:
        with suppress(*store_errors()):
            store.client.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    store.client.set_terminated(run_id, "FINISHED")


@contextmanager
def _reached(home: Home, section: Tracking) -> Iterator[None]:
    """Tell in one line what keeps the store out of reach."""
    try:
        yield
    except store_errors() as error:
        raise ConceptError(trouble(home, section, error)) from error


def _headline(name: str, n_trials: int, refresh_id: int) -> str:
    trials = "1 trial" if n_trials == 1 else f"{n_trials:,} trials"
    return f"**{escaped(name)}**: {trials} of settings on the images of refresh {refresh_id}. Nothing is published."
