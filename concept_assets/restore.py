"""An earlier state, with all that it was made from, as a run publishes it again."""

from __future__ import annotations

from pathlib import Path

from concept_assets.inputs import Inputs, setting
from concept_lib.curation import load_actions
from concept_lib.database.kept import State, states
from concept_lib.database.state import DATABASE, MODEL, Published
from concept_lib.errors import ConceptError
from concept_lib.images.catalog import Catalog, FileRecord
from concept_lib.settings import SECTIONS, Settings
from concept_lib.storage import Home


def earlier_state(home: Home, published: Published, refresh_id: int) -> State:
    """Find the state of a refresh that one can go back to.

    The caller holds the lock on the home.

    Raises
    ------
    ConceptError
        When there is no such refresh, it is the present state, or its files are no longer there and whole.
    """
    found = {state.refresh_id: state for state in states(home)}
    state = found.get(refresh_id)
    if state is None:
        raise ConceptError(f"there is no refresh {refresh_id}; see: concept refreshes")
    if is_present(state, published):
        raise ConceptError(f"refresh {refresh_id} is the present state already")
    if not state.is_whole(home):
        others = [
            str(number)
            for number, other in found.items()
            if number != refresh_id and other.is_stored(home) and not is_present(other, published)
        ]
        raise ConceptError(
            f"the files of refresh {refresh_id} are no longer kept whole; one can go back to: "
            f"{', '.join(others) or 'none'}"
        )
    return state


def is_present(state: State, published: Published) -> bool:
    """Whether a refresh made just what is published, by the same settings."""
    shown = {name: entry for name, entry in published.data_versions.items() if name != DATABASE}
    return state.data_versions == shown


def inputs_of(home: Home, state: State, now: Settings) -> tuple[Settings, Inputs]:
    """Settings and inputs of an earlier state; only where its run is tracked is settled by those of now."""
    settings = state.settings.model_copy(update={"tracking": now.tracking})
    images = home.load_asset("images", state.data_versions["images"]["data_version"])
    if images is None:
        raise ConceptError(f"the files of refresh {state.refresh_id} are gone; see: concept refreshes")
    rows = images.table("files").to_pylist()
    catalog = Catalog([FileRecord(**row, mtime_ns=0, inode=0) for row in rows], images.info["n_other"])
    versions = {setting(name): settings.version(name) for name in SECTIONS} | dict(state.inputs)
    versions[setting("tracking")] = settings.version("tracking")
    versions.pop(MODEL, None)
    folder = Path(settings.images.folder or home.sample)
    return settings, Inputs(folder, catalog, load_actions(home), versions)
