"""What must not stay: a needless file, or a picture that someone wants forgotten."""

from __future__ import annotations

from collections.abc import Callable

from concept_assets.environment import prepare
from concept_assets.previews import remove_previews
from concept_assets.progress import Listener
from concept_assets.refresh import Say, held, refresh
from concept_assets.registry.withdraw import remove_models
from concept_assets.tracking.pictures import remove_pictures
from concept_assets.trials import one_at_a_time
from concept_assets.undo import refuse_unpublished
from concept_lib.cleaning import Freed
from concept_lib.cleaning import clean as remove_needless
from concept_lib.database.kept import State, states
from concept_lib.database.rebuild import rebuild_database
from concept_lib.database.state import published_state
from concept_lib.forgetting import Traces, find_image, purge, traces
from concept_lib.images.forgotten import add_forgotten
from concept_lib.storage import Home


def clean(home: Home, say: Say, *, dry_run: bool = False) -> list[Freed]:
    """Remove what no kept state needs; see `concept_lib.cleaning.clean`."""
    refuse_unpublished(home)
    with held(home, "concept clean", say):
        published_state(home)  # marks a published refresh whose process died, so that it counts
        return remove_needless(home, dry_run=dry_run)


def rebuild(home: Home, say: Say) -> int:
    """Make the database anew from what is stored; see `concept_lib.database.rebuild.rebuild_database`."""
    refuse_unpublished(home)
    with held(home, "concept rebuild", say):
        return rebuild_database(home)


def forget(
    home: Home, image: str, agree: Callable[[str], bool], listener: Listener, say: Say
) -> list[str] | None:
    """Purge every copy of an image, and let no scan take it in again.

    Parameters
    ----------
    home
        Where everything is kept.
    image
        Its id, the beginning of its id, or a path of it.
    agree
        Asked once, with what will happen.
    listener, say
        As in `refresh`.

    Returns
    -------
    list of str
        A line for each thing that was done, or is left to do by hand; None where nobody agreed.

    Raises
    ------
    ConceptError
        When no image is meant, or the refresh without it fails; forgetting it again goes on from there.
    """
    refuse_unpublished(home)
    image_id, path = find_image(home, image)
    name = f"{path} ({image_id[:12]})" if path else image_id
    lost = [str(state.refresh_id) for state in traces(home, [image_id]).holding if state.is_stored(home)]
    states_too = f" The states of refreshes {', '.join(lost)} go with it." if lost else ""
    if not agree(
        f"Every copy of {name} will be removed for good, with each picture and vector made of it.{states_too}"
    ):
        return None
    prepare(home)
    with held(home, "concept forget", say), one_at_a_time(home, "concept forget", say):
        add_forgotten(home, image_id)
        done = refresh(home, {}, listener, say)
        purge(home, [image_id])
        by_hand = _remove_tracked(home, traces(home, [image_id]))
        remove_previews(home, keep=done["dagster_run_id"])
    return [
        f"{name} is forgotten; refresh {done['refresh_id']} shows the concepts without it",
        *([f"the states of refreshes {', '.join(lost)} are gone; see: concept refreshes"] if lost else []),
        *by_hand,
    ]


def _remove_tracked(home: Home, found: Traces) -> list[str]:
    """Remove the pictures in MLflow that may show an image; tell of those that are out of reach."""
    tainted = [state for state in states(home) if state.refresh_id in found.concepts]
    innocent = {_run(state) for state in states(home)} - {_run(state) for state in tainted}
    runs = {run: state.settings.tracking.uri for state in tainted if (run := _run(state)) is not None}
    return [*remove_pictures(home, runs, innocent), *_remove_models(home, found)]


def _remove_models(home: Home, found: Traces) -> list[str]:
    """Remove registered models: they hold the vectors of all images, so those of outliers too."""
    holding = {state.refresh_id for state in found.holding}
    everything = states(home)
    innocent = {run for state in everything if state.refresh_id not in holding and (run := _run(state))}
    uris = [state.settings.tracking.uri for state in found.holding]
    return remove_models(home, everything[-1].settings.tracking, uris, innocent)


def _run(state: State) -> str | None:
    run_id: str | None = state.refresh["mlflow_run_id"]
    return run_id
