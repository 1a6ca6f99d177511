"""The published refresh as a version of a registered model, and the alias that tells which version is served."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from concept_assets.refresh import Say, held
from concept_assets.registry.logged import log_concepts
from concept_assets.registry.quality import failed_checks
from concept_assets.tracking.notes import counted
from concept_assets.tracking.store import HOME, REFRESH, open_store, store_errors, tracking_uri, trouble
from concept_assets.undo import refuse_unpublished
from concept_lib.database.queries import last_refresh
from concept_lib.errors import ConceptError
from concept_lib.settings import Tracking
from concept_lib.storage import Home

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
"""Alias of the version that is served."""
NEXT = "the next refresh that changes anything has one"
NAME = re.compile(r"[\w.-][\w .-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of a registration.

    Attributes
    ----------
    name, version
        Of the registered model.
    refresh_id
        The refresh that it holds.
    is_new
        False where the version was there already.
    failed
        Checks that the refresh fails, and that keep the alias back.
    champion
        Version that the alias names now; None where there is none.
    uri
        Tracking URI.
    """

    name: str
    version: int
    refresh_id: int
    is_new: bool
    failed: list[str]
    champion: int | None
    uri: str


def register(home: Home, name: str, say: Say) -> Registered:
    """Register the published refresh, once, and make it champion where it passes the quality checks.

    Parameters
    ----------
    home
        Where it is kept.
    name
        Of the registered model; made where there is none.
    say
        Called with each line that a person should read meanwhile.

    Raises
    ------
    ConceptError
        When nothing is published, the refresh has no MLflow run, or the store cannot be used.
    """
    if not NAME.fullmatch(name):
        raise ConceptError(f"--name {name}: use letters, digits, spaces, and the signs . _ -")
    refuse_unpublished(home)
    with held(home, "concept register", say):
        refresh = last_refresh(home.database)
        if refresh is None:
            raise ConceptError(f"no database at {home.database}; run: concept rebuild")
        if refresh["mlflow_run_id"] is None:
            raise ConceptError(
                f"refresh {refresh['refresh_id']} has no MLflow run to be registered under: tracking was off or out of "
                f"reach; {NEXT}"
            )
        section = Tracking.model_validate(refresh["settings"]["tracking"])
        try:
            return _register(home, section, name, refresh)
        except store_errors() as error:
            raise ConceptError(trouble(home, section, error)) from error


def _register(home: Home, section: Tracking, name: str, refresh: Mapping[str, Any]) -> Registered:
    client = open_store(home, section).client
    run = _run(client, refresh)
    failed = failed_checks(home, refresh)
    versions = client.search_model_versions(f"name = '{name}'")
    found = next((version for version in versions if version.run_id == run.info.run_id), None)
    version = found or _add_version(client, home, run, name, refresh)
    if found is None and not failed:
        client.set_registered_model_alias(name, CHAMPION, version.version)
    return Registered(
        name=name,
        version=int(version.version),
        refresh_id=refresh["refresh_id"],
        is_new=found is None,
        failed=failed,
        champion=_champion(client, name),
        uri=tracking_uri(home, section),
    )


def _run(client: MlflowClient, refresh: Mapping[str, Any]) -> Run:
    from mlflow.exceptions import MlflowException

    run_id, run = refresh["mlflow_run_id"], None
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    if run is None or run.info.lifecycle_stage != "active":
        raise ConceptError(f"MLflow run {run_id} of refresh {refresh['refresh_id']} was deleted; {NEXT}")
    return run


def _add_version(
    client: MlflowClient, home: Home, run: Run, name: str, refresh: Mapping[str, Any]
) -> ModelVersion:
    from concept_lib.model import ConceptModel

    sizes = {key: int(refresh["metrics"][key]) for key in ("images", "concepts", "outliers")}
    tags = {
        REFRESH: str(refresh["refresh_id"]),
        HOME: str(home.path),
        "n_images": str(sizes["images"]),
        "n_concepts": str(sizes["concepts"]),
    }
    logging.getLogger("mlflow.store.model_registry").setLevel(logging.WARNING)  # tells that it waits
    model = log_concepts(client, run, name, ConceptModel.from_database(home.database), tags)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return client.create_model_version(
        name,
        model.artifact_location,
        run.info.run_id,
        tags,
        description=f"Refresh {refresh['refresh_id']}: {counted(*sizes.values())}",
        model_id=model.model_id,
    )


def _champion(client: MlflowClient, name: str) -> int | None:
    version = client.get_registered_model(name).aliases.get(CHAMPION)
    return None if version is None else int(version)
