"""Lasting ids of concepts, and what happened to concepts and images from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt


class ConceptState(NamedTuple):
    """What an event tells about a concept: its number of images and its shown label."""

    n_images: int
    label: str


class ConceptEvent(TypedDict):
    """One row of ``concept_events``, but for the refresh."""

    event_no: int
    kind: str
    concept_id: int
    other_concept_id: int | None
    overlap: float | None
    n_before: int | None
    n_after: int | None
    label_before: str | None
    label_after: str | None


class ImageMove(TypedDict):
    """One row of ``image_moves``, but for the refresh."""

    image_id: str
    from_concept_id: int | None
    to_concept_id: int | None


def fresh_ids(n: int, next_free_id: int) -> npt.NDArray[np.int32]:
    """Ids of n new concepts, in the order of their clusters (the largest first).

    The next free id afterwards is ``next_free_id + n``; it never goes back, so no id is ever used twice.

    Examples
    --------
    >>> fresh_ids(3, next_free_id=7)
    array([7, 8, 9], dtype=int32)
    """
    return np.arange(next_free_id, next_free_id + n, dtype=np.int32)


def concept_events(
    before: Mapping[int, ConceptState], after: Mapping[int, ConceptState]
) -> list[ConceptEvent]:
    """Births, deaths and new names from one state to the next, sorted by kind and id.

    Parameters
    ----------
    before, after
        Concepts by id.

    Returns
    -------
    list of ConceptEvent
        Numbered from 1.

    Examples
    --------
    >>> events = concept_events({0: ConceptState(9, "cat")}, {1: ConceptState(8, "dog")})
    >>> [(e["event_no"], e["kind"], e["concept_id"], e["label_before"], e["label_after"]) for e in events]
    [(1, 'born', 1, None, 'dog'), (2, 'died', 0, 'cat', None)]
    """
    changes = [("born", concept_id) for concept_id in sorted(after.keys() - before.keys())]
    changes += [("died", concept_id) for concept_id in sorted(before.keys() - after.keys())]
    stayed = sorted(before.keys() & after.keys())
    changes += [("renamed", key) for key in stayed if before[key].label != after[key].label]
    return [
        _event(number, kind, concept_id, before.get(concept_id), after.get(concept_id))
        for number, (kind, concept_id) in enumerate(changes, start=1)
    ]


def _event(
    number: int, kind: str, concept_id: int, before: ConceptState | None, after: ConceptState | None
) -> ConceptEvent:
    """Event of one concept."""
    return ConceptEvent(
        event_no=number,
        kind=kind,
        concept_id=concept_id,
        other_concept_id=None,
        overlap=None,
        n_before=before.n_images if before else None,
        n_after=after.n_images if after else None,
        label_before=before.label if before else None,
        label_after=after.label if after else None,
    )


def image_moves(before: Mapping[str, int], after: Mapping[str, int]) -> list[ImageMove]:
    """Images whose concept is not the same in two assignments, sorted by image.

    Parameters
    ----------
    before, after
        Concept of each image, -1 for an outlier.

    Returns
    -------
    list of ImageMove
        ``from_concept_id`` is None for an image that was not there, ``to_concept_id`` for one that left.

    Examples
    --------
    >>> [tuple(move.values()) for move in image_moves({"a": 0, "b": 1}, {"b": 1, "c": -1})]
    [('a', 0, None), ('c', None, -1)]
    """
    return [
        ImageMove(image_id=image_id, from_concept_id=before.get(image_id), to_concept_id=after.get(image_id))
        for image_id in sorted(before.keys() | after.keys())
        if before.get(image_id) != after.get(image_id)
    ]
