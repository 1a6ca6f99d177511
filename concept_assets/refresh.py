"""One refresh from the command line: the same job that Dagster runs, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import dagster as dg

from concept_assets.automation import REFRESH_JOB
from concept_assets.environment import prepare
from concept_assets.failures import RefreshFailure
from concept_assets.inputs import find_inputs
from concept_assets.progress import Listener, listening
from concept_assets.staleness import damaged_assets, stale_assets
from concept_assets.versioning import staged
from concept_lib.database.queries import last_refresh
from concept_lib.database.state import Published, published_state
from concept_lib.errors import ConceptError
from concept_lib.lock import locked
from concept_lib.settings_sources import keep, resolve
from concept_lib.storage import Home

Say: TypeAlias = Callable[[str], None]
LOCK_SECONDS = 24 * 3600.0
CLEAR = {ConceptError.__name__, RefreshFailure.__name__}
INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


def refresh(
    home: Home,
    flags: Mapping[str, str],
    listener: Listener,
    say: Say,
    once: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Bring a home up to date and say what happened.

    Parameters
    ----------
    home
        Where everything is kept.
    flags
        ``{"section.key": text}``; kept in the home once the refresh has succeeded.
    listener
        Shown the progress.
    say
        Called with each line that a person should read.
    once
        Wishes of this one refresh, never kept: fields of `StorageResource`.

    Returns
    -------
    dict
        What ``concept refresh --json`` prints.

    Raises
    ------
    ConceptError
        When the run fails; in one line.
    """
    resolve(home, flags)  # what is misspelt is said before any waiting
    prepare(home)
    with held(home, "concept refresh", say):
        published = published_state(home)
        wishes = dict(once or {})
        verify = wishes.pop("verify", False)  # hashed once, here: the run finds the hashes
        inputs = find_inputs(home, resolve(home, flags).settings, verify=verify)
        run_id = None
        if not is_current(home, published, inputs.versions):
            with listening(listener):
                run_id = run_job(home, flags, wishes)
        keep(home, flags)
        if home.paused.is_file():
            say(f"automatic refreshes are paused {paused_since(home)}; to take them up again: concept resume")
        return summary(home, run_id)


def held(home: Home, command: str, say: Say) -> AbstractContextManager[None]:
    """Hold the home for one command, and say for whom it has to wait."""
    return locked(home, command, timeout_s=LOCK_SECONDS, on_wait=lambda who: say(f"waiting for {who}"))


def paused_since(home: Home) -> str:
    """Since when, and why, the sensor must not refresh."""
    return home.paused.read_text(encoding="utf-8").strip()


def is_current(home: Home, published: Published, versions: Mapping[str, str]) -> bool:
    """Whether the published state was made from these inputs, by this code, and is whole."""
    entries = published.data_versions
    return not stale_assets(home, entries, versions) and not damaged_assets(home, entries)


def run_job(home: Home, flags: Mapping[str, str], once: Mapping[str, Any]) -> str:
    """Run the refresh job in this process, recorded in the home's Dagster instance."""
    from concept_assets.definitions import defs

    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {"storage": {"config": {"home": str(home.path), "overrides": dict(flags), **once}}},
    }
    job = defs.resolve_job_def(REFRESH_JOB)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    if not result.success:
        raise ConceptError(_why(result))
    return result.run_id


def _why(result: dg.ExecuteInProcessResult) -> str:
    """One line that says why a run failed: the first check that stopped it, or error of a step, else of the run.

    Raises
    ------
    KeyboardInterrupt
        When somebody ended the run.
    """
    story = f"Dagster run {result.run_id} holds the whole story"
    for event in result.all_events:
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            stopped = not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
            if stopped and check.description:
                return f"{check.asset_key.to_user_string()}: {check.description}"
        if event.is_step_failure:
            error = event.step_failure_data.error
        else:
            error = event.job_failure_data.error if event.is_job_failure else None
        last = error
        while error is not None:
            text = (error.message.strip().partition(": ")[2].splitlines() or [""])[0]
            if error.cls_name in CLEAR:
                return text
            if error.cls_name in INTERRUPTS:
                raise KeyboardInterrupt
            last, error = error, error.cause
        if last is not None:
            text = (last.message.strip().splitlines() or ["no message"])[0]
            return f"{event.step_key or 'the run'} failed: {text}; {story}"
    return f"the run failed; {story}"


def summary(home: Home, run_id: str | None) -> dict[str, Any]:
    """What ``refresh --json`` prints: the published state, and what was done to reach it.

    A run that published nothing found the standing state to be right: that is unchanged, too.
    """
    row = last_refresh(home.database)
    if row is None:
        raise ConceptError(f"no database at {home.database} after the refresh; try again")
    entries = row["data_versions"]["assets"]
    counts = ("files", "images", "failed", "embedded", "reused", "concepts", "outliers")
    result = {
        "refresh_id": row["refresh_id"],
        "dagster_run_id": row["dagster_run_id"],
        "mlflow_run_id": row["mlflow_run_id"],
        "mode": row["mode"],
        **{f"n_{name}": row[f"n_{name}"] for name in counts},
    }
    if row["dagster_run_id"] != run_id:
        result |= {"mode": "unchanged", "n_embedded": 0, "n_reused": row["n_images"]}
    made = {name: staged(home, name) for name in entries}
    seconds = {
        name: round(found.seconds, 3) for name, found in made.items() if found and found.run_id == run_id
    }
    collages = home.asset_folder("exemplar_collages") / entries["exemplar_collages"]["data_version"]
    return {**result, "seconds": seconds, "database": str(home.database), "collages": str(collages)}
