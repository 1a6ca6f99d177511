"""Pictures of a run: collages, the overview, the map, and the table that compares runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from concept_assets.tracking.store import EXPERIMENT
from concept_lib.database.present import collage_name
from concept_lib.pictures.card import collage_card
from concept_lib.pictures.collage import encode_jpeg
from concept_lib.pictures.figure import MAX_PANELS, overview_figure
from concept_lib.pictures.map import map_figure
from concept_lib.storage import Home, write_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

COLLAGE_PIXELS = 512
TABLE = "concepts.json"
PICTURES = ("collages", "table_images", "overview.png")
"""Artifacts that show images; the last one tells that a run is ours. The map of dots and names shows none."""


@dataclass(frozen=True, slots=True)
class ShownConcept:
    """A concept as its run shows it.

    Parameters
    ----------
    concept_id, label, n_images, confidence
        As in the table ``concepts``.
    collage
        Opens its collage.
    """

    concept_id: int
    label: str
    n_images: int
    confidence: float | None
    collage: Callable[[], Image.Image]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a run shows.

    Parameters
    ----------
    title
        One line over the map.
    concepts
        Largest first.
    plane, concept_ids
        As in `concept_lib.pictures.map.map_figure`.
    """

    title: str
    concepts: Sequence[ShownConcept]
    plane: npt.NDArray[np.floating]
    concept_ids: npt.NDArray[np.integer]


def log_pictures(client: MlflowClient, run_id: str, shown: Shown, max_collages: int) -> None:
    """Log what a run shows; the table has a row a concept, and pairs with another run's by the concept's id."""
    import mlflow

    largest = shown.concepts[:max_collages]
    panels = [(one, one.collage()) for one in shown.concepts[:MAX_PANELS]]
    labels = {one.concept_id: one.label for one in shown.concepts}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for one in largest:
            collage = one.collage()
            card = collage_card(collage, f"{one.label}, {_sized(one)}")
            rows.append(_row(one) | {"collage": mlflow.Image(card)})
            collage.thumbnail((COLLAGE_PIXELS, COLLAGE_PIXELS), Image.Resampling.LANCZOS)
            write_file(
                folder / "collages" / collage_name(one.concept_id), encode_jpeg(collage), durable=False
            )
        overview = overview_figure(
            [picture for _, picture in panels],
            [one.label for one, _ in panels],
            [_sized(one) for one, _ in panels],
        )
        write_file(folder / "overview.png", overview, durable=False)
        still = map_figure(shown.plane, shown.concept_ids, labels, title=shown.title)
        write_file(folder / "map.png", still, durable=False)
        client.log_artifacts(run_id, str(folder))
    if rows:
        client.log_table(run_id, {name: [row[name] for row in rows] for name in rows[0]}, TABLE)


def _sized(one: ShownConcept) -> str:
    return f"{one.n_images:,} images"


def _row(one: ShownConcept) -> dict[str, Any]:
    return {
        "concept": one.concept_id,
        "label": one.label,
        "images": one.n_images,
        "confidence": one.confidence,
    }


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
        Runs whose pictures stay. A run that is neither was never published, such as a trial of an experiment, and its
        pictures go as well.

    Returns
    -------
    list of str
        A line for each run whose pictures lie elsewhere, and must be removed by hand, and for the experiments there.
    """
    for folder in home.mlflow_artifacts.glob("*/artifacts"):
        if folder.parent.name not in innocent and (folder / PICTURES[-1]).is_file():
            shutil.rmtree(folder / PICTURES[0], ignore_errors=True)
            shutil.rmtree(folder / PICTURES[1], ignore_errors=True)
            (folder / PICTURES[-1]).unlink()
    what = f"remove by hand {', '.join(PICTURES)} of"
    left = [
        f"{what} MLflow run {run_id} at {uri or 'its place outside this home'}"
        for run_id, uri in runs.items()
        if uri is not None or not (home.mlflow_artifacts / run_id).is_dir()
    ]
    places = dict.fromkeys(uri for uri in runs.values() if uri is not None)
    return left + [
        f"{what} the MLflow runs with the tag {EXPERIMENT} at {uri}, if there are any" for uri in places
    ]
