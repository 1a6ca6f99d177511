"""Events and moves tell exactly what changed, by a count of each image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.modeling.events import ConceptState, EventRules, concept_events, image_moves
from concept_lib.modeling.identity import overlap, survivors

IMAGES = st.dictionaries(st.integers(0, 60).map(str), st.integers(-1, 4), max_size=60)
LABELS = st.fixed_dictionaries({key: st.sampled_from(["cat", "dog", "unnamed"]) for key in range(5)})
Assignment = dict[str, int]
Labels = dict[int, str]


def states(of_image: Assignment, labels: Labels) -> dict[int, ConceptState]:
    living = set(of_image.values()) - {-1}
    return {key: ConceptState(list(of_image.values()).count(key), labels[key]) for key in living}


def told(before: Assignment, after: Assignment, was: Labels, now: Labels, **rules: float) -> list[Any]:
    found = overlap(*survivors(before, after))
    return concept_events(states(before, was), states(after, now), found, EventRules(**rules))


def counted(before: Assignment, after: Assignment, was: Labels, now: Labels) -> list[tuple]:
    """The same events by the definitions, image by image, in whole numbers."""
    olds, news = states(before, was), states(after, now)
    none = (None, None)
    rows = [("born", key, None, None, *none, *news[key]) for key in news if key not in olds]
    rows += [("died", key, None, None, *olds[key], *none) for key in olds if key not in news]
    for key in olds.keys() & news.keys():
        a, b = olds[key].n_images, news[key].n_images
        if 10 * abs(b - a) >= a and abs(b - a) >= 5:
            rows.append(("grew" if b > a else "shrank", key, None, None, *olds[key], *news[key]))
        if olds[key].label != news[key].label:
            rows.append(("renamed", key, None, None, *olds[key], *news[key]))
    lived = {old: {image for image in before if before[image] == old and image in after} for old in olds}
    held = {(old, new): sum(after[image] == new for image in lived[old]) for old in olds for new in news}
    for old in olds:
        parts = [new for new in news if lived[old] and 4 * held[old, new] >= len(lived[old])]
        if len(parts) >= 2:
            for new in parts:
                rows.append(("split", old, new, held[old, new] / len(lived[old]), *olds[old], *news[new]))
    for new in news:
        sources = [old for old in olds if lived[old] and 2 * held[old, new] >= len(lived[old])]
        if len(sources) >= 2:
            for old in sources:
                rows.append(("merged", new, old, held[old, new] / len(lived[old]), *olds[old], *news[new]))
    return sorted(rows, key=lambda row: (row[0], row[1], -1 if row[2] is None else row[2]))


def as_rows(events: list[Any]) -> list[tuple]:
    names = ("kind", "concept_id", "other_concept_id", "overlap", "n_before", "label_before", "n_after")
    return [tuple(event[name] for name in (*names, "label_after")) for event in events]


@given(before=IMAGES, after=IMAGES, was=LABELS, now=LABELS)
def test_events_are_those_of_the_definitions(
    before: Assignment, after: Assignment, was: Labels, now: Labels
) -> None:
    events = told(before, after, was, now)
    assert as_rows(events) == counted(before, after, was, now)
    assert [event["event_no"] for event in events] == list(range(1, len(events) + 1))
    kinds_with_another = {event["kind"] for event in events if event["other_concept_id"] is not None}
    assert kinds_with_another <= {"split", "merged"}


@given(before=IMAGES, was=LABELS)
def test_nothing_happened_is_no_event(before: Assignment, was: Labels) -> None:
    assert told(before, before, was, was) == []


def clusters(*sizes: int) -> Assignment:
    numbers = np.repeat(np.arange(len(sizes)), sizes).tolist()
    return {f"{image:03d}": number for image, number in enumerate(numbers)}


NAMES = dict.fromkeys(range(9), "cat")


def test_a_split_into_three_and_its_continuation() -> None:
    before = clusters(12)
    after = {image: (0, 0, 5, 6)[i % 4] for i, image in enumerate(sorted(before))}
    events = told(before, after, NAMES, NAMES)
    assert [(e["kind"], e["concept_id"], e["other_concept_id"], e["overlap"]) for e in events] == [
        ("born", 5, None, None),
        ("born", 6, None, None),
        ("shrank", 0, None, None),
        ("split", 0, 0, 0.5),
        ("split", 0, 5, 0.25),
        ("split", 0, 6, 0.25),
    ]
    assert [(e["n_before"], e["n_after"]) for e in events[3:]] == [(12, 6), (12, 3), (12, 3)]


def test_a_merge_tells_each_source() -> None:
    before = clusters(10, 4, 4)
    after = {image: 0 if old < 2 else -1 for image, old in before.items()}
    events = told(before, after, NAMES, NAMES)
    assert [(e["kind"], e["concept_id"], e["other_concept_id"], e["n_before"]) for e in events] == [
        ("died", 1, None, 4),
        ("died", 2, None, 4),
        ("merged", 0, 0, 10),
        ("merged", 0, 1, 4),
    ]


@pytest.mark.parametrize(
    ("n_before", "n_after", "kind"),
    [
        (70, 77, ["grew"]),
        (70, 76, []),
        (70, 63, ["shrank"]),
        (20, 24, []),
        (20, 25, ["grew"]),
        (49, 44, ["shrank"]),
    ],
)
def test_growth_counts_by_share_and_by_number(n_before: int, n_after: int, kind: list[str]) -> None:
    events = told(clusters(n_before), clusters(n_after), NAMES, NAMES)
    assert [event["kind"] for event in events] == kind


def test_rules_move_the_bounds() -> None:
    before, after = clusters(10), {image: int(i >= 8) for i, image in enumerate(sorted(clusters(10)))}
    assert "split" not in {event["kind"] for event in told(before, after, NAMES, NAMES)}
    assert "split" in {event["kind"] for event in told(before, after, NAMES, NAMES, split_share=0.2)}
    assert "shrank" in {event["kind"] for event in told(before, after, NAMES, NAMES, growth_images=2)}


@given(history=st.lists(IMAGES, max_size=8))
def test_moves_replay_to_the_present(history: list[Assignment]) -> None:
    replayed: Assignment = {}
    before: Assignment = {}
    for after in history:
        for move in image_moves(before, after):
            assert move["from_concept_id"] == replayed.get(move["image_id"])
            if move["to_concept_id"] is None:
                del replayed[move["image_id"]]
            else:
                replayed[move["image_id"]] = move["to_concept_id"]
        assert replayed == after
        before = after


@given(before=IMAGES, after=IMAGES)
def test_moves_are_changes_only_sorted_by_image(before: Assignment, after: Assignment) -> None:
    moves = image_moves(before, after)
    assert all(move["from_concept_id"] != move["to_concept_id"] for move in moves)
    ids = [move["image_id"] for move in moves]
    assert ids == sorted(set(ids))
    assert image_moves(after, after) == []
