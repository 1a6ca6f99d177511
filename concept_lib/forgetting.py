"""An image that must leave no trace: where it is kept, and removing it there.

What stays is its id, where it has to: on the list of forgotten images, in the row of its file, which is skipped, and in
the moves of the past.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from concept_lib.cleaning import leftovers, vector_folders
from concept_lib.database.history import committed_histories, load_history
from concept_lib.database.kept import State, asset_versions, kept_of, states
from concept_lib.database.rebuild import rebuild_database
from concept_lib.database.rewrite import forget_vectors
from concept_lib.embedding.cache import VectorCache
from concept_lib.errors import ConceptError
from concept_lib.images.catalog import FORGOTTEN
from concept_lib.images.forgotten import forgotten_images
from concept_lib.storage import Home

SHORTEST_PREFIX = 4


@dataclass(frozen=True, slots=True)
class Traces:
    """Where images are kept.

    Parameters
    ----------
    holding
        Every published state that an image is part of, oldest first; its files may be gone.
    concepts
        Concepts that an image belonged to, by refresh: their vectors and collages were made with it, perhaps.
    """

    holding: list[State]
    concepts: dict[int, set[int]]


def find_image(home: Home, text: str) -> tuple[str, str | None]:
    """Find an image by its id, the beginning of its id, or a path as shown.

    Returns
    -------
    image_id : str
    path : str or None
        One of its paths, where a kept state knows one.

    Raises
    ------
    ConceptError
        When no image, or more than one, is meant.
    """
    paths = _paths(home, reversed(kept_of(states(home))))
    meant = {image_id for image_id, known in paths.items() if text in known}
    if not meant and len(text) >= SHORTEST_PREFIX:
        moves = load_history(committed_histories(home.histories)[0])["image_moves"]
        everyone = {*paths, *moves["image_id"].to_pylist(), *forgotten_images(home)}
        meant = {image_id for image_id in everyone if image_id.startswith(text.lower())}
    if not meant:
        raise ConceptError(
            f"no image has the path {text}, or an id that begins so (at least {SHORTEST_PREFIX} characters); "
            "the table image_files lists both"
        )
    if len(meant) > 1:
        raise ConceptError(f"{text} may mean {len(meant)} images; give more of its id")
    [image_id] = meant
    return image_id, next(iter(paths.get(image_id, ())), None)


def traces(home: Home, image_ids: Collection[str]) -> Traces:
    """Find where images are kept in the past and the present."""
    found = states(home)
    moves = load_history(committed_histories(home.histories)[0])["image_moves"]
    member_of = _memberships(moves, image_ids, [state.refresh_id for state in found])
    holding = [
        state for state in found if state.refresh_id in member_of or _shows(home, state, frozenset(image_ids))
    ]
    concepts = {refresh_id: ids - {-1} for refresh_id, ids in member_of.items() if ids - {-1}}
    return Traces(holding, concepts)


def purge(home: Home, image_ids: Collection[str]) -> None:
    """Remove images from the caches, the stored states and the vectors of the past, and build the database anew.

    Each step finds what an earlier call left undone. The caller holds the lock on the home.

    Raises
    ------
    ConceptError
        When the published state holds one of them: it must be refreshed first.
    """
    found, everything = traces(home, image_ids), states(home)
    if everything[-1] in found.holding:
        raise ConceptError(
            "the published state still holds the image; run: concept refresh, and forget it again"
        )
    kept = [state for state in kept_of(everything) if state not in found.holding]
    assets: dict[str, set[str]] = {folder.name: set() for folder in home.assets.iterdir()}
    home.prune_assets(assets | asset_versions(kept))
    for folder in vector_folders(home):
        VectorCache(folder).remove(image_ids)
    for image_id in image_ids:
        home.thumbnail(image_id).unlink(missing_ok=True)
    for path in leftovers(home):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for refresh_id, concept_ids in found.concepts.items():
        forget_vectors(home.history(refresh_id), concept_ids)
    rebuild_database(home)


def _memberships(
    moves: pa.Table, image_ids: Collection[str], refresh_ids: Iterable[int]
) -> dict[int, set[int]]:
    """Concepts of some images, -1 included, at each refresh at which they were there."""
    theirs = moves.filter(pc.is_in(moves["image_id"], pa.array(list(image_ids), pa.string()))).to_pylist()
    now: dict[str, int | None] = {}
    found: dict[int, set[int]] = {}
    for refresh_id in refresh_ids:
        now |= {row["image_id"]: row["to_concept_id"] for row in theirs if row["refresh_id"] == refresh_id}
        there = {concept_id for concept_id in now.values() if concept_id is not None}
        if there:
            found[refresh_id] = there
    return found


def _shows(home: Home, state: State, image_ids: frozenset[str]) -> bool:
    """Whether the stored files of a state list an image otherwise than as forgotten."""
    return any(row["image_id"] in image_ids and row["reason"] != FORGOTTEN for row in _files(home, state))


def _paths(home: Home, newest_first: Iterable[State]) -> dict[str, list[str]]:
    """Paths of each image; a path means the image that bore it last."""
    owners: dict[str, str] = {}
    for state in newest_first:
        for row in _files(home, state):
            if row["image_id"] is not None:
                owners.setdefault(row["path"], row["image_id"])
    paths: dict[str, list[str]] = {}
    for path, image_id in owners.items():
        paths.setdefault(image_id, []).append(path)
    return paths


def _files(home: Home, state: State) -> list[dict[str, str]]:
    """Files that a state lists; none where they are not kept any more."""
    stored = state.stored(home).get("images")
    if stored is None or not stored.is_whole():
        return []
    rows: list[dict[str, str]] = stored.table("files").select(["path", "image_id", "reason"]).to_pylist()
    return rows
