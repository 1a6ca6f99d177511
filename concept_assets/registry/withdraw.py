"""Registered models that may hold a forgotten image: they have the vectors of all images, and collages."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from concept_assets.registry.logged import CONCEPTS
from concept_assets.tracking.store import HOME, REFRESH, open_store, store_errors, trouble
from concept_lib.settings import Tracking
from concept_lib.storage import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient


def remove_models(
    home: Home, section: Tracking, uris: Iterable[str | None], innocent: Collection[str | None]
) -> list[str]:
    """Remove models from the home's own store and its registry, files first.

    Parameters
    ----------
    home, section
        Whose store it is, and how it is opened; its ``uri`` is passed over.
    uris
        Tracking URI of each run whose models must go; None for the home's own store.
    innocent
        Runs whose models stay. A model of a run that is none of them goes, one that was cut short too.

    Returns
    -------
    list of str
        A line for what is gone, and for what must be removed by hand.
    """
    models = home.mlflow_artifacts / "models"
    lines: list[str] = []
    if models.is_dir():
        for folder in models.iterdir():
            if (folder / "artifacts" / "artifacts" / CONCEPTS).is_dir() and _run(folder) not in innocent:
                shutil.rmtree(folder)
        own = section.model_copy(update={"uri": None})
        try:
            lines += _delete_entries(open_store(home, own).client, innocent)
        except store_errors() as error:
            lines.append(
                f"registered models without files are still listed: {trouble(home, own, error)}; then forget it again"
            )
    return lines + [
        f"remove by hand the registered models with the tag {HOME} = {home.path} at {uri}, if there are any"
        for uri in dict.fromkeys(uris)
        if uri is not None
    ]


def _run(folder: Path) -> str | None:
    """Run of a logged model, as its description tells it; None where that is missing or cut short."""
    about = folder / "artifacts" / "MLmodel"
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    told = (line.removeprefix("run_id:").strip(" '") for line in lines if line.startswith("run_id:"))
    return next(told, None)


def _delete_entries(client: MlflowClient, innocent: Collection[str | None]) -> list[str]:
    """Delete versions, with their aliases, and logged models; what is not ours has no tag of a refresh."""
    gone: dict[str, list[str]] = {}
    for version in client.search_model_versions():
        if REFRESH in version.tags and version.run_id not in innocent:
            client.delete_model_version(version.name, str(version.version))
            gone.setdefault(version.name, []).append(str(version.version))
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    for model in client.search_logged_models(experiments):
        if REFRESH in model.tags and model.source_run_id not in innocent:
            client.delete_logged_model(model.model_id)
    told = "; ".join(f"{name}, {', '.join(sorted(numbers, key=int))}" for name, numbers in gone.items())
    if not told:
        return []
    return [
        f"registered versions are gone ({told}); end what serves them, and register the concepts anew with: "
        "concept register"
    ]
