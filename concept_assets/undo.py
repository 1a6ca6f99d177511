"""Earlier states: which there are, back to one, and on again."""

from __future__ import annotations

from typing import Any

from concept_assets.environment import prepare
from concept_assets.progress import Listener, listening
from concept_assets.refresh import Say, held, paused_since, run_job, summary
from concept_assets.restore import earlier_state
from concept_lib.database.kept import state_of
from concept_lib.database.queries import refresh_table
from concept_lib.database.state import published_state
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

COLUMNS = ("refresh_id", "published_at", "title", "mode", "n_images", "n_concepts", "n_outliers")


def refreshes(home: Home) -> list[dict[str, Any]]:
    """Every refresh, newest first, and what is left of it.

    Returns
    -------
    list of dict
        `COLUMNS` of ``refreshes``, and ``state``: ``present``; ``same`` as the present; ``kept``, so that one can go
        back to it; or ``gone``.
    """
    found = [state_of(row) for row in refresh_table(home.database)]
    present = found[0].data_versions if found else {}
    told = []
    for state in found:
        if state is found[0]:
            left = "present"
        elif state.data_versions == present:
            left = "same"
        else:
            left = "kept" if state.is_stored(home) else "gone"
        told.append({**{name: state.refresh[name] for name in COLUMNS}, "state": left})
    return told


def rollback(home: Home, refresh_id: int, listener: Listener, say: Say) -> dict[str, Any]:
    """Publish the state of an earlier refresh as a new one, and pause automatic refreshes.

    Parameters
    ----------
    home
        Where everything is kept.
    refresh_id
        The earlier refresh.
    listener
        Shown the progress.
    say
        Called with each line that a person should read.

    Returns
    -------
    dict
        What ``concept rollback --json`` prints.

    Raises
    ------
    ConceptError
        When the state is unknown, the present one or no longer kept whole, or the run fails.
    """
    refuse_unpublished(home)
    prepare(home)
    with held(home, "concept rollback", say):
        earlier_state(home, published_state(home), refresh_id)  # refused here, it leaves no failed run
        with listening(listener):
            run_id = run_job(home, {}, {"restore": refresh_id})
        return summary(home, run_id)


def resume(home: Home, say: Say) -> str | None:
    """Let automatic refreshes go on.

    Returns
    -------
    str or None
        Since when they were paused; None where they were not.
    """
    refuse_unpublished(home)
    with held(home, "concept resume", say):
        if not home.paused.is_file():
            return None
        since = paused_since(home)
        home.paused.unlink()
        return since


def refuse_unpublished(home: Home) -> None:
    """Say that there is nothing to work on, before a folder or a lock is made."""
    if not home.histories.is_dir():
        raise ConceptError(f"nothing was published in {home.path} yet; run: concept refresh")
