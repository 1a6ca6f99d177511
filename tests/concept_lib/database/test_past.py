"""What a refresh adds to the past."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.curation import Actions, append, undo
from concept_lib.database.past import curation_rows, title_of
from concept_lib.database.state import Published


def told(rows: list) -> list[tuple]:
    return [(row["action_no"], row["refresh_id"], row["undone_refresh_id"]) for row in rows]


def test_an_action_has_the_refresh_that_obeyed_it_and_the_one_that_took_it_back() -> None:
    actions = append(append((), "rename", 3, name="sea"), "merge", 3, other_concept_id=5)
    first = curation_rows([], actions, 2)
    assert first[1] == {
        "refresh_id": 2,
        "action_no": 2,
        "action": "merge",
        "concept_id": 3,
        "other_concept_id": 5,
        "name": None,
        "undone_refresh_id": None,
    }
    actions, _ = undo(append(actions, "pin", 3), 1)
    second = curation_rows(first, actions, 4)
    assert told(second) == [(1, 2, 4), (2, 2, None), (3, 4, None)]
    assert curation_rows(second, actions, 7) == second


def test_what_was_undone_before_a_refresh_never_was() -> None:
    actions, _ = undo(append(append((), "pin", 1), "pin", 2), 1)
    assert told(curation_rows([], actions, 1)) == [(2, 1, None)]


def test_an_action_that_left_the_list_is_undone() -> None:
    rows = curation_rows([], append((), "pin", 1), 1)
    assert told(curation_rows(rows, (), 2)) == [(1, 1, 2)]


@given(choices=st.lists(st.one_of(st.none(), st.integers(1, 6)), max_size=12), data=st.data())
def test_each_refresh_tells_what_changed_since_the_last(
    choices: list[int | None], data: st.DataObject
) -> None:
    """Actions come and go, and refreshes publish now and then; the rows replay what each published."""
    actions: Actions = ()
    rows: list = []
    published: dict[int, set[int]] = {}
    for choice in choices:
        standing = {action.number for action in actions if not action.undone}
        if choice is None:
            actions = append(actions, "pin", len(actions))
        elif choice in standing:
            actions, _ = undo(actions, choice)
        if data.draw(st.booleans()):
            refresh_id = len(published) + 1
            rows = list(curation_rows(rows, actions, refresh_id))
            published[refresh_id] = {action.number for action in actions if not action.undone}
    for refresh_id, truth in published.items():
        obeyed = {
            number
            for number, since, until in told(rows)
            if since <= refresh_id and (until is None or refresh_id < until)
        }
        assert obeyed == truth


@pytest.mark.parametrize(
    ("after", "changed", "title"),
    [
        ({"a": 0, "b": 1, "c": 1}, ["image_folder"], "+1 images, kept"),
        ({"c": 1}, ["image_folder", "settings/labels"], "+1 -2 images, kept"),
        ({"a": 1, "b": 1}, [], "same images, kept"),
        ({"a": 0, "b": 0}, ["curation"], "same images, your decisions, kept"),
        (
            {"a": 0, "b": 0},
            ["settings/labels", "vocabulary_source"],
            "same images, labels settings, other words, kept",
        ),
    ],
)
def test_a_title_tells_what_changed(after: dict[str, int], changed: list[str], title: str) -> None:
    before = Published(refresh={"refresh_id": 1}, assignment={"a": 0, "b": 0})
    assert title_of(before, after, "kept", changed) == title


def test_the_title_of_a_first_refresh_counts_its_images() -> None:
    assert title_of(Published(), {"a": 0}, "fit", ["image_folder"]) == "+1 images, fit"
    assert title_of(Published(), {}, "fit", ["image_folder"]) == "no images, fit"
