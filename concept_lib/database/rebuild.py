"""The database file as a whole: what the assets stored, and the past beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from concept_lib.database.history import committed_histories, load_history
from concept_lib.database.integrity import dangling_references
from concept_lib.database.present import Assets, present_tables
from concept_lib.database.publish import (
    SCHEMA_VERSION,
    build_database,
    product_version,
    remove_stale_logs,
    replace_database,
)
from concept_lib.database.queries import last_refresh
from concept_lib.database.state import DATABASE, Published, state_of_history
from concept_lib.errors import ConceptError
from concept_lib.storage import TEMPORARY_PREFIX, Home


def state_tables(home: Home, assets: Assets, born: Mapping[int, int], refresh_id: int) -> dict[str, pa.Table]:
    """Every table of the present.

    Parameters
    ----------
    home
        Paths in the tables are relative to it.
    assets
        What each asset made, by name.
    born
        Refresh in which concepts were born; the others are born now.
    refresh_id
        Number of the refresh that these tables show.
    """
    concept_ids = assets["clusters"].table("concepts")["concept_id"].to_pylist()
    embeddings = assets["image_embeddings"].info
    about = {
        "schema_version": SCHEMA_VERSION,
        "product_version": product_version(),
        "refresh_id": refresh_id,
        "model_fingerprint": embeddings["fingerprint"],
        "embedding_dim": embeddings["dim"],
    }
    present = present_tables(home, assets, {key: born.get(key, refresh_id) for key in concept_ids})
    return {"schema_info": pa.Table.from_pylist([about]), **present}


def replace_state(home: Home, present: Mapping[str, pa.Table], folders: Sequence[Path]) -> None:
    """Build the database aside, prove its references, and put it in place.

    Parameters
    ----------
    home
        Whose database is replaced.
    present
        As `state_tables` makes it.
    folders
        History folders of all refreshes, oldest first.

    Raises
    ------
    ConceptError
        When the tables contradict each other; the old file stays.
    """
    built = home.database.with_name(f"{TEMPORARY_PREFIX}{home.database.name}")
    dim = present["schema_info"]["embedding_dim"][0].as_py()
    build_database(built, {**present, **load_history(folders)}, embedding_dim=dim)
    if dangling := dangling_references(built):
        built.unlink()
        raise ConceptError(
            f"the new state does not hold together ({dangling}); the old one stays; please report this"
        )
    replace_database(built, home.database)


def rebuild_database(home: Home) -> int:
    """Make a lost or broken database anew, as it was: no refresh is added.

    The caller holds the lock on the home.

    Returns
    -------
    int
        The refresh that it shows.

    Raises
    ------
    ConceptError
        When nothing was ever published, or stored files are missing or damaged.
    """
    remove_stale_logs(home.database)
    try:
        shown = last_refresh(home.database)
    except ConceptError:  # a broken file shows nothing: that is why it is made anew
        shown = None
    published = state_of_history(home, shown)
    if published.refresh_id is None:
        raise ConceptError(f"nothing was published in {home.path} yet; run: concept refresh")
    present = state_tables(home, _stored(home, published), published.born, published.refresh_id)
    replace_state(home, present, committed_histories(home.histories)[0])
    return published.refresh_id


def _stored(home: Home, published: Published) -> Assets:
    """What the assets of the published state stored."""
    assets = {}
    for name, entry in published.data_versions.items():
        if name == DATABASE:
            continue
        stored = home.load_asset(name, entry["data_version"])
        if stored is None or not stored.is_whole():
            raise ConceptError(
                f"the files of {name} in {home.asset_folder(name)} are missing or damaged, and no database can be "
                "made of them; run: concept refresh"
            )
        assets[name] = stored
    return assets
