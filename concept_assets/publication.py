"""How a refresh is published: tables, MLflow, history, database, in this order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import dagster as dg
import pyarrow as pa

from concept_assets.inputs import IMAGE_FOLDER, setting
from concept_assets.progress import listener, warn
from concept_assets.report import database_metadata
from concept_assets.resources import Session
from concept_assets.tracking.refreshes import Tracked, tracked_run
from concept_assets.versioning import Staged, current, dependencies, fingerprint, stage, staged
from concept_lib.database.history import (
    committed_histories,
    mark_committed,
    remove_uncommitted,
    write_history,
)
from concept_lib.database.kept import State, asset_versions, kept_states
from concept_lib.database.past import Account, assignment_of, past_tables, stability_metrics, title_of
from concept_lib.database.queries import refresh_table
from concept_lib.database.rebuild import replace_state, state_tables
from concept_lib.database.state import DATABASE, MODEL, Published
from concept_lib.disk import require_room
from concept_lib.errors import ConceptError
from concept_lib.settings_sources import keep
from concept_lib.storage import Home, StoredAsset, write_file

Made: TypeAlias = Mapping[str, Staged]


def standing(context: dg.AssetExecutionContext, session: Session) -> dg.MaterializeResult[None] | None:
    """The published state, where it was made from just what is staged now; else None."""
    started = time.monotonic()
    entry = session.published.data_versions.get(DATABASE)
    mark = _mark(context, session, _chain(context, session))
    if entry is None or entry["fingerprint"] != mark or not session.home.database.is_file():
        return None
    if (audience := listener()) is not None:
        audience.started(DATABASE)
        audience.ended(DATABASE, reused=True)
    context.log.info(f"refresh {session.published.refresh_id} still stands; nothing changed")
    return _shown(context, session, entry["data_version"], started, reused=True)


def publish(context: dg.AssetExecutionContext, session: Session) -> dg.MaterializeResult[None]:
    """Make what is staged the published state."""
    started = time.monotonic()
    if (audience := listener()) is not None:
        audience.started(DATABASE)
    home, before, made = session.home, session.published, _chain(context, session)
    assets = {name: current(home, name) for name in made}
    refresh_id = session.refresh_id
    present = state_tables(home, assets, before.born, refresh_id)
    require_room(home)  # vectors and thumbnails may have filled the disk since the run began
    mark = _mark(context, session, made)
    told = _told(context, session, made, assets, present)
    with tracked_run(home, told, partial(warn, context)) as mlflow_run_id:
        account = Account(
            refresh_id=refresh_id,
            mode=told.mode,
            reason=told.reason,
            title=told.title,
            started_at=session.started_at,
            published_at=datetime.now(UTC),
            dagster_run_id=context.run.run_id,
            mlflow_run_id=mlflow_run_id,
            n_embedded=_embedded(made, context.run.run_id),
            metrics=told.metrics,
            settings=session.settings,
            data_versions=_data_versions(session, made, assets, mark),
            actions=session.inputs.actions,
            restored=session.restored.refresh if session.restored else None,
        )
        free = max([before.next_free_id, *(key + 1 for key in present["concepts"]["concept_id"].to_pylist())])
        if session.restored:
            _pause(home, session.restored)
        _commit(home, refresh_id, present, past_tables(before, present, account), free)
    _prune(home)
    stage(home, DATABASE, Staged(mark, mark, {}, context.run.run_id, time.monotonic() - started, {}))
    if audience is not None:
        audience.ended(DATABASE, reused=False)
    context.log.info(f"published refresh {refresh_id}: {told.title}")
    return _shown(context, session, mark, started, reused=False)


def _shown(
    context: dg.AssetExecutionContext,
    session: Session,
    data_version: str,
    started: float,
    *,
    reused: bool,
) -> dg.MaterializeResult[None]:
    """Keep the settings of this run, and show what is published."""
    if session.flags:
        keep(session.home, session.flags)
    embeddings = current(session.home, "image_embeddings")
    facts = database_metadata(session.home, session.settings.tracking, embeddings, partial(warn, context))
    seconds = round(time.monotonic() - started, 3)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(data_version), metadata={**facts, "seconds": seconds, "reused": reused}
    )


def _chain(context: dg.AssetExecutionContext, session: Session) -> Made:
    """What each asset last made, where all of it fits together.

    Raises
    ------
    ConceptError
        When an asset was made from something that has changed since.
    """
    made: dict[str, Staged] = {}
    for name in dependencies(context.assets_def):
        if name in session.inputs.versions:
            continue
        found = staged(session.home, name)
        if found is None:
            raise ConceptError(f"{name} is not there yet; materialize it first, or run: concept refresh")
        made[name] = found
    read = {**session.inputs.versions, **{name: found.data_version for name, found in made.items()}}
    for name, found in made.items():
        for dependency, version in found.inputs.items():
            if read.setdefault(dependency, version) != version:
                raise ConceptError(
                    f"{name} was made from another {dependency}; materialize it anew, or run: concept refresh"
                )
    return made


def _mark(context: dg.AssetExecutionContext, session: Session, made: Made) -> str:
    """Fingerprint of the database that would be published now."""
    return database_fingerprint(context.assets_def, session.inputs.versions, _entries(made))


def _entries(made: Made) -> dict[str, dict[str, str]]:
    return {
        name: {"fingerprint": found.fingerprint, "data_version": found.data_version}
        for name, found in made.items()
    }


def database_fingerprint(
    asset: dg.AssetsDefinition, inputs: Mapping[str, str], made: Mapping[str, Mapping[str, str]]
) -> str:
    """Fingerprint of a database made of these versions.

    The fingerprints of the assets count beside their data versions: a setting that changed no result is
    published all the same, so that the published settings are those in force.
    """
    versions = {name: f"{entry['fingerprint']} {entry['data_version']}" for name, entry in made.items()}
    return fingerprint(asset, {**inputs, **versions})


def _data_versions(
    session: Session, made: Made, assets: Mapping[str, StoredAsset], mark: str
) -> dict[str, Any]:
    """What reuse and the sensor will compare with."""
    inputs = {setting("tracking"): session.inputs.versions[setting("tracking")]}
    for found in made.values():
        inputs |= {name: version for name, version in found.inputs.items() if name not in made}
    entries = _entries(made)
    entries[DATABASE] = {"fingerprint": mark, "data_version": mark}
    return {"assets": entries, "inputs": inputs | {MODEL: assets["image_embeddings"].info["fingerprint"]}}


def _told(
    context: dg.AssetExecutionContext,
    session: Session,
    made: Made,
    assets: Mapping[str, StoredAsset],
    present: Mapping[str, pa.Table],
) -> Tracked:
    """What this refresh tells MLflow and the row of ``refreshes``."""
    mode = _mode(session.published, assets["clusters"])
    known = session.published.inputs
    changed = [name for name, version in session.inputs.versions.items() if known.get(name) != version]
    title = title_of(session.published, assignment_of(present["concept_images"]), mode, sorted(changed))
    if session.restored:
        mode, title = "rollback", f"back to refresh {session.restored.refresh_id}"
    statuses = Counter(present["image_files"]["status"].to_pylist())
    of_image = present["concept_images"]["concept_id"].to_pylist()
    seconds = {
        f"seconds_{name}": found.seconds for name, found in made.items() if found.run_id == context.run.run_id
    }
    metrics = {
        "images": len(of_image),
        "files": sum(statuses.values()),
        "failed": statuses["failed"],
        "embedded": _embedded(made, context.run.run_id),
        "concepts": present["concepts"].num_rows,
        "outliers": of_image.count(-1),
        **assets["clusters"].info["metrics"],
        **assets["labels"].info["metrics"],
        **stability_metrics(session.published, present, session.settings),
        **seconds,
        "seconds_total": (datetime.now(UTC) - session.started_at).total_seconds(),
    }
    return Tracked(
        refresh_id=session.refresh_id,
        title=title,
        mode=mode,
        reason=assets["clusters"].info["reason"] if mode == "fit" else None,
        started_at=session.started_at,
        dagster_run_id=context.run.run_id,
        metrics={name: float(value) for name, value in metrics.items()},
        settings=session.settings,
        concepts=present["concepts"].sort_by([("n_images", "descending"), ("concept_id", "ascending")]),
        images=present["concept_images"],
        before=session.published,
        past=refresh_table(session.home.database) if session.home.database.is_file() else [],
        source=str(session.inputs.folder),
        digest=session.inputs.versions[IMAGE_FOLDER],
    )


def _mode(before: Published, clusters: StoredAsset) -> str:
    """Whether the concepts are those of before, of the standing fit, or of a new one."""
    if before.data_versions.get("clusters", {}).get("data_version") == clusters.data_version:
        return "kept"
    return "fit" if clusters.info["fit_refresh_id"] > (before.refresh_id or 0) else "assigned"


def _embedded(made: Made, run_id: str) -> int:
    embeddings = made["image_embeddings"]
    return embeddings.counts.get("n_embedded", 0) if embeddings.run_id == run_id else 0


def _commit(
    home: Home,
    refresh_id: int,
    present: Mapping[str, pa.Table],
    past: Mapping[str, pa.Table],
    next_free_id: int,
) -> None:
    """Write the history, then the database; its replacement is the commit."""
    folder = home.history(refresh_id)
    write_history(
        folder,
        refresh=past["refreshes"],
        concepts=past["concept_history"],
        events=past["concept_events"],
        moves=past["image_moves"],
        curation=past["curation"],
        next_free_id=next_free_id,
    )
    older, _ = committed_histories(home.histories)  # damaged ones were refused when the refresh began
    replace_state(home, present, [*older, folder])
    mark_committed(folder)


def _pause(home: Home, restored: State) -> None:
    """Keep the sensor from undoing a rollback at once."""
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    write_file(home.paused, f"since the rollback to refresh {restored.refresh_id} at {now}\n".encode())


def _prune(home: Home) -> None:
    """Forget the files of states that are not kept, and the history of failed refreshes."""
    remove_uncommitted(home.histories)
    home.prune_assets(asset_versions(kept_states(home)))
