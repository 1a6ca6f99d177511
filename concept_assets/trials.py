"""An experiment: settings tried on what is published, told to MLflow alone."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from concept_assets.tracking.pictures import Shown, ShownConcept
from concept_assets.tracking.trials import tracked_experiment
from concept_lib.database.members import exemplars_of
from concept_lib.errors import ConceptError
from concept_lib.experiment.basis import published_basis, published_refresh
from concept_lib.experiment.grid import Grid, Point, point_name, points_of
from concept_lib.experiment.ranking import ranked, ranking_rows
from concept_lib.experiment.trial import Trial, run_trials
from concept_lib.lock import locked
from concept_lib.pictures.collage import encode_jpeg, make_collage
from concept_lib.progress import Progress
from concept_lib.settings_sources import resolve
from concept_lib.storage import Home

LOCK_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an experiment found.

    Parameters
    ----------
    name
        Of the experiment.
    run_id, url
        The MLflow run above the trials, and its page.
    best
        The settings that were tried in the best trial.
    rows
        The trials, best first: rank, settings, figures, and the MLflow run of each.
    """

    name: str
    run_id: str
    url: str
    best: Point
    rows: Sequence[Mapping[str, Any]]


def experiment(
    home: Home, grid: Grid, name: str | None, progress: Progress, say: Callable[[str], None]
) -> Outcome:
    """Try each combination of some settings on the published images, and log what a refresh would find.

    It reads without the lock on the home, so a refresh may run meanwhile; see `concept_lib.experiment.basis`. One
    experiment of a home runs at a time. An interruption leaves the trials that are done.

    Parameters
    ----------
    home
        Whose published refresh is taken.
    grid
        Values by ``section.key``, as texts.
    name
        Of the experiment; by default the settings that are tried.
    progress
        Called with the trials done, and all.
    say
        Called with each line that a person should read.

    Raises
    ------
    ConceptError
        When nothing is published, a setting cannot be tried, or MLflow cannot be reached.
    """
    points = points_of(home, grid)
    published_refresh(home)  # before a lock is made where no home is
    name = name or f"try {', '.join(key.partition('.')[2] for key in grid)}"
    with one_at_a_time(home, "concept experiment", say):
        basis = published_basis(home)
        refresh_id, section = basis.published.refresh_id or 0, resolve(home).settings.tracking
        with tracked_experiment(home, section, name, len(points), refresh_id) as run:
            trials: list[Trial] = []
            run_ids: dict[str, str] = {}  # by the name of the point
            progress(0, len(points))
            started_at = datetime.now(UTC)
            for trial in run_trials(basis, points):
                run_ids[point_name(trial.point)] = run.log(trial, _shown(home, trial), started_at)
                trials.append(trial)
                progress(len(trials), len(points))
                started_at = datetime.now(UTC)
            best = [trial.point for trial in ranked(trials)]
            rows = [
                row | {"run_id": run_ids[point_name(point)]}
                for row, point in zip(ranking_rows(trials), best, strict=True)
            ]
            run.log_ranking(rows)
        return Outcome(name, run.run_id, run.url, best[0], rows)


def one_at_a_time(home: Home, who: str, say: Callable[[str], None]) -> AbstractContextManager[None]:
    """Hold the experiments of a home: `concept forget` must not miss a picture that one is about to log."""
    return locked(
        home,
        who,
        file=home.experiment_lock,
        timeout_s=LOCK_SECONDS,
        on_wait=lambda holder: say(f"waiting for {holder}"),
    )


def _shown(home: Home, trial: Trial) -> Shown:
    exemplars = exemplars_of(trial.members)
    width = trial.settings.collages.width
    concepts = [
        ShownConcept(
            row["concept_id"],
            row["label"],
            row["n_images"],
            row["label_confidence"],
            partial(_collage, home, exemplars[row["concept_id"]], width),
        )
        for row in trial.concepts.to_pylist()
    ]
    ids = trial.members["concept_id"].to_numpy()
    return Shown(point_name(trial.point), concepts, np.asarray(trial.plane, np.float64), ids)


def _collage(home: Home, image_ids: Sequence[str], width: int) -> Image.Image:
    """The collage that a refresh would store."""
    pictures = []
    for image_id in image_ids:
        try:
            with Image.open(home.thumbnail(image_id)) as picture:
                pictures.append(picture.convert("RGB"))
        except OSError as error:
            raise ConceptError(
                f"the thumbnail {home.thumbnail(image_id)} is missing or damaged; to make it anew, run: concept refresh"
            ) from error
    return Image.open(io.BytesIO(encode_jpeg(make_collage(pictures, width=width)))).convert("RGB")
