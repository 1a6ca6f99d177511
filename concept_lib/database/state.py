"""The published state, as the next refresh reads it from the history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from concept_lib.curation import restore_actions
from concept_lib.database.history import committed_histories, load_history, mark_committed, next_free_id
from concept_lib.database.publish import remove_stale_logs
from concept_lib.database.queries import last_refresh
from concept_lib.database.rewrite import finish_rewrites
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

DATABASE = "concept_database"  # the asset that is made of all others
MODEL = "model"  # among the inputs: fingerprint of the encoder that made the image vectors


@dataclass(frozen=True, slots=True)
class KnownConcept:
    """A concept of the published state."""

    label: str
    n_images: int
    vector: np.ndarray


@dataclass(frozen=True, slots=True)
class Published:
    """What the last published refresh left behind; all empty before the first.

    Parameters
    ----------
    refresh
        Its row of ``refreshes``.
    inputs
        Version of each external input that it was made from.
    data_versions
        ``{asset: {"fingerprint", "data_version"}}``.
    next_free_id
        Lowest concept id that was never used.
    concepts
        The concepts by id.
    assignment
        Concept of each image, -1 for outliers.
    born
        Refresh in which each concept was born.
    curation
        Rows of the table ``curation``.
    """

    refresh: Mapping[str, Any] | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    data_versions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    next_free_id: int = 0
    concepts: Mapping[int, KnownConcept] = field(default_factory=dict)
    assignment: Mapping[str, int] = field(default_factory=dict)
    born: Mapping[int, int] = field(default_factory=dict)
    curation: Sequence[Mapping[str, Any]] = ()

    @property
    def refresh_id(self) -> int | None:
        """Number of that refresh."""
        return None if self.refresh is None else int(self.refresh["refresh_id"])

    @property
    def model(self) -> str | None:
        """Fingerprint of the encoder of its images."""
        return self.inputs.get(MODEL)


def published_state(home: Home) -> Published:
    """Read what the last published refresh left behind.

    A process that died between the replacement of the database and the mark in the history left a published
    refresh unmarked: it is marked here. A lost database does no harm: the history holds the same. It also holds what
    the user decided: where the home's file of that is lost, it is written anew.

    The caller holds the lock on the home.

    Raises
    ------
    ConceptError
        When the database shows a refresh that the history does not hold, or the history is damaged.
    """
    remove_stale_logs(home.database)  # of a foreign writer: it would keep every reader out, this one too
    return state_of_history(home, last_refresh(home.database))


def state_of_history(home: Home, shown: Mapping[str, Any] | None) -> Published:
    """Read the published state from the history; `shown` is the refresh that the database shows, if it can be read."""
    finish_rewrites(home.histories)
    if shown is not None:
        folder = home.history(shown["refresh_id"])
        if not folder.is_dir():
            raise ConceptError(
                f"{folder} is missing, but {home.database.name} shows its refresh; put history/ back, or move "
                f"{home.path} away to begin anew"
            )
        mark_committed(folder)
    folders, problems = committed_histories(home.histories)
    if problems:
        raise ConceptError(
            f"{problems[0]}; put it back from a backup, or remove its folder under {home.histories}"
        )
    if not folders:
        return Published()
    past = load_history(folders)
    refresh, curation = past["refreshes"].to_pylist()[-1], past["curation"].to_pylist()
    restore_actions(home, curation)
    versions = json.loads(refresh["data_versions"])
    return Published(
        refresh=refresh,
        inputs=versions["inputs"],
        data_versions=versions["assets"],
        next_free_id=next_free_id(folders),
        concepts=_concepts(past["concept_history"], refresh["refresh_id"]),
        assignment=_replay(past["image_moves"]),
        born=_born(past["concept_events"]),
        curation=curation,
    )


def _concepts(history: pa.Table, refresh_id: int) -> dict[int, KnownConcept]:
    rows = history.filter(pc.equal(history["refresh_id"], refresh_id)).to_pylist()
    return {
        row["concept_id"]: KnownConcept(row["label"], row["n_images"], np.array(row["embedding"]))
        for row in rows
    }


def _replay(moves: pa.Table) -> dict[str, int]:
    """Concept of each image after all moves, oldest first."""
    found: dict[str, int] = {}
    for image_id, concept_id in zip(
        *(moves[name].to_pylist() for name in ("image_id", "to_concept_id")), strict=True
    ):
        if concept_id is None:
            found.pop(image_id, None)
        else:
            found[image_id] = concept_id
    return found


def _born(events: pa.Table) -> dict[int, int]:
    """Refresh of each concept's first birth; one that comes back is told as born once more, and none the younger."""
    rows = events.filter(pc.equal(events["kind"], "born")).to_pylist()
    return {row["concept_id"]: row["refresh_id"] for row in reversed(rows)}
