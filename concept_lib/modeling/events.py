"""What happened to concepts and images from one state to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.identity import Overlap


class ConceptState(NamedTuple):
    """What an event tells about a concept: its number of images and its shown label."""

    n_images: int
    label: str


class EventRules(NamedTuple):
    """From when on a change is an event.

    Attributes
    ----------
    split_share
        Least share of an old concept's survivors in each part of its split.
    merge_share
        Least share of an old concept's survivors that a merge takes in.
    growth_share, growth_images
        Least change of size, as a share of the images before and in images; both must be reached.
    """

    split_share: float = 0.25
    merge_share: float = 0.5
    growth_share: float = 0.1
    growth_images: int = 5


DEFAULT_RULES = EventRules()


class ConceptEvent(TypedDict):
    """One row of ``concept_events``, but for the refresh.

    ``n_before`` and ``label_before`` are those of the old concept, ``n_after`` and ``label_after`` those of the new
    one: a row of a split leads from the concept to one of its parts, a row of a merge from one source to the concept.
    """

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


class _Change(NamedTuple):
    """An event before it is numbered: what it is and which concepts it leads from and to."""

    kind: str
    concept_id: int
    other_concept_id: int | None
    overlap: float | None
    was: ConceptState | None
    now: ConceptState | None


def concept_events(
    before: Mapping[int, ConceptState],
    after: Mapping[int, ConceptState],
    found: Overlap,
    rules: EventRules = DEFAULT_RULES,
) -> list[ConceptEvent]:
    """Tell what happened to concepts from one state to the next, sorted by kind and ids.

    - **born**, **died**: the id is there in one state only; a concept that splits or merges may do so besides.
    - **split**: at least two new concepts each hold enough of one old concept's survivors; one row a part.
    - **merged**: one new concept holds enough of the survivors of each of at least two old ones; one row a source.
    - **grew**, **shrank**: a concept that stayed has more or fewer images, both by share and by number.
    - **renamed**: a concept that stayed shows another label.

    Parameters
    ----------
    before, after
        Concepts by id.
    found
        Survivors that each pair of an old and a new concept shares, by their lasting ids.
    rules
        From when on a change counts.

    Returns
    -------
    list of ConceptEvent
        Numbered from 1.

    Examples
    --------
    >>> from concept_lib.modeling.identity import overlap
    >>> found = overlap(np.array([0, 0, 0, 0]), np.array([0, 0, 1, 1]))
    >>> before = {0: ConceptState(4, "pet")}
    >>> after = {0: ConceptState(2, "cat"), 1: ConceptState(2, "dog")}
    >>> for e in concept_events(before, after, found):
    ...     print(e["event_no"], e["kind"], e["concept_id"], e["other_concept_id"], e["overlap"], e["label_after"])
    1 born 1 None None dog
    2 renamed 0 None None cat
    3 split 0 0 0.5 cat
    4 split 0 1 0.5 dog
    """
    changes = [
        *(_Change("born", key, None, None, None, after[key]) for key in after.keys() - before.keys()),
        *(_Change("died", key, None, None, before[key], None) for key in before.keys() - after.keys()),
        *_lasting(before, after, rules),
        *_splits(before, after, found, rules.split_share),
        *_merges(before, after, found, rules.merge_share),
    ]
    changes.sort(key=lambda change: (change.kind, change.concept_id, change.other_concept_id or 0))
    return [
        ConceptEvent(
            event_no=number,
            kind=change.kind,
            concept_id=change.concept_id,
            other_concept_id=change.other_concept_id,
            overlap=change.overlap,
            n_before=change.was.n_images if change.was else None,
            n_after=change.now.n_images if change.now else None,
            label_before=change.was.label if change.was else None,
            label_after=change.now.label if change.now else None,
        )
        for number, change in enumerate(changes, start=1)
    ]


def _lasting(
    before: Mapping[int, ConceptState], after: Mapping[int, ConceptState], rules: EventRules
) -> Iterator[_Change]:
    """Growth, shrinkage and new labels of the concepts of both states."""
    for key in before.keys() & after.keys():
        was, now = before[key], after[key]
        more = now.n_images - was.n_images
        if abs(more) >= rules.growth_images and abs(more) / was.n_images >= rules.growth_share:
            yield _Change("grew" if more > 0 else "shrank", key, None, None, was, now)
        if was.label != now.label:
            yield _Change("renamed", key, None, None, was, now)


def _splits(
    before: Mapping[int, ConceptState], after: Mapping[int, ConceptState], found: Overlap, least: float
) -> Iterator[_Change]:
    portions = _portions(found)
    parts = portions >= least
    for row, column in np.argwhere(parts & (parts.sum(axis=1, keepdims=True) >= 2)):
        old, new = int(found.before[row]), int(found.after[column])
        yield _Change("split", old, new, float(portions[row, column]), before[old], after[new])


def _merges(
    before: Mapping[int, ConceptState], after: Mapping[int, ConceptState], found: Overlap, least: float
) -> Iterator[_Change]:
    portions = _portions(found)
    sources = portions >= least
    for row, column in np.argwhere(sources & (sources.sum(axis=0, keepdims=True) >= 2)):
        old, new = int(found.before[row]), int(found.after[column])
        yield _Change("merged", new, old, float(portions[row, column]), before[old], after[new])


def _portions(found: Overlap) -> npt.NDArray[np.float64]:
    """Share of each old concept's survivors that each new one holds, float64 (p, q)."""
    return np.asarray(found.shared / found.n_before[:, None], np.float64)


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
