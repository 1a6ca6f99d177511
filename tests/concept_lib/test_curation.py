"""The list of the user's actions against a plain replay of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.curation import (
    Action,
    Actions,
    append,
    checked_name,
    curation_version,
    load_actions,
    merges_in_force,
    names_in_force,
    pins_in_force,
    restore_actions,
    save_actions,
    undo,
)
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

concepts = st.integers(0, 4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("rename"), concepts, st.sampled_from(["sea", "hill", "a · b"])),
        st.tuples(st.just("merge"), concepts, concepts),
        st.tuples(st.just("pin"), concepts, st.sampled_from([None, "sea"])),
        st.tuples(st.just("undo"), st.integers(1, 12), st.none()),
    ),
    max_size=12,
)


def replay(wanted: list[tuple]) -> Actions:
    """Do what can be done; what is refused changes nothing."""
    actions: Actions = ()
    for what, concept, value in wanted:
        try:
            if what == "undo":
                actions, _ = undo(actions, concept)
            elif what == "merge":
                actions = append(actions, "merge", concept, other_concept_id=value)
            else:
                actions = append(actions, what, concept, name=value)
        except ConceptError:
            continue
    return actions


@given(wanted=steps)
def test_what_is_in_force_is_what_a_replay_without_the_undone_gives(wanted: list[tuple]) -> None:
    actions = replay(wanted)
    names: dict[int, str] = {}
    parent: dict[int, int] = {}
    pinned: set[int] = set()
    for action in actions:
        if action.undone:
            continue
        if action.action == "merge":
            parent[action.other_concept_id] = action.concept_id
        elif action.name is not None:
            names[action.concept_id] = action.name
        if action.action == "pin":
            pinned.add(action.concept_id)
    shown = {}
    for merged in parent:
        at = merged
        for _ in range(len(parent)):
            at = parent.get(at, at)
        assert at not in parent, "a chain ends at a concept that is shown"
        shown[merged] = at
    assert names_in_force(actions) == names
    assert merges_in_force(actions) == shown
    assert pins_in_force(actions) == {
        concept for concept in range(5) if concept in pinned or shown.get(concept) in pinned
    }
    assert [action.number for action in actions] == list(range(1, len(actions) + 1))


@given(wanted=steps)
def test_the_version_is_that_of_the_actions_in_force(wanted: list[tuple]) -> None:
    actions = replay(wanted)
    version = curation_version(actions)
    added = append(actions, "pin", 9)
    assert curation_version(added) != version
    assert curation_version(undo(added)[0]) == version
    assert curation_version(tuple(action for action in actions if not action.undone)) == version


@given(wanted=steps)
def test_the_file_holds_what_was_saved(tmp_path_factory: pytest.TempPathFactory, wanted: list[tuple]) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    save_actions(home, replay(wanted))
    assert load_actions(home) == replay(wanted)


def test_the_last_action_in_force_is_undone_by_default() -> None:
    actions = append(append(append((), "pin", 1), "pin", 2), "pin", 3)
    actions, third = undo(actions)
    actions, second = undo(actions)
    assert (third.number, second.number) == (3, 2)
    assert [action.undone for action in actions] == [False, True, True]


@pytest.mark.parametrize(
    ("number", "says"),
    [(1, "action 1 is undone already"), (7, "action 7 does not exist"), (None, "nothing to undo")],
)
def test_undoing_what_is_not_there_is_refused(number: int | None, says: str) -> None:
    actions, _ = undo(append((), "pin", 1))
    with pytest.raises(ConceptError, match=says):
        undo(actions, number)


@pytest.mark.parametrize("pairs", [[(1, 1)], [(1, 2), (2, 1)], [(1, 2), (2, 3), (3, 1)]])
def test_a_merge_into_itself_is_refused(pairs: list[tuple[int, int]]) -> None:
    actions: Actions = ()
    for concept, other in pairs[:-1]:
        actions = append(actions, "merge", concept, other_concept_id=other)
    with pytest.raises(ConceptError, match="cannot be merged into itself; choose two concepts"):
        append(actions, "merge", pairs[-1][0], other_concept_id=pairs[-1][1])


def test_without_a_file_nothing_was_decided(tmp_path: Path) -> None:
    assert load_actions(Home(tmp_path)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        '[{"number": 1}]',
        '[{"number": 1, "action": "burn", "concept_id": 1}]',
        '[{"number": 1, "action": "rename", "concept_id": 1}]',
        '[{"number": 1, "action": "merge", "concept_id": 1, "other_concept_id": 1}]',
        '[{"number": "1", "action": "pin", "concept_id": 1}]',
    ],
)
def test_a_damaged_file_is_one_line_with_the_remedy(tmp_path: Path, text: str) -> None:
    (tmp_path / "curation.json").write_text(text)
    with pytest.raises(
        ConceptError, match=r"curation.json is damaged; .* or remove it and run: concept refresh"
    ):
        load_actions(Home(tmp_path))


class TestRestoring:
    """The file made anew from the published rows."""

    ROWS = (
        {
            "refresh_id": 2,
            "action_no": 1,
            "action": "merge",
            "concept_id": 3,
            "other_concept_id": 5,
            "name": None,
            "undone_refresh_id": 4,
        },
        {
            "refresh_id": 3,
            "action_no": 4,
            "action": "rename",
            "concept_id": 3,
            "other_concept_id": None,
            "name": "sea",
            "undone_refresh_id": None,
        },
    )

    def test_a_lost_file(self, tmp_path: Path) -> None:
        restore_actions(Home(tmp_path), self.ROWS)
        assert load_actions(Home(tmp_path)) == (
            Action(number=1, action="merge", concept_id=3, other_concept_id=5, undone=True),
            Action(number=4, action="rename", concept_id=3, name="sea"),
        )

    def test_a_file_that_is_there_is_left_alone(self, tmp_path: Path) -> None:
        save_actions(Home(tmp_path), ())
        restore_actions(Home(tmp_path), self.ROWS)
        assert load_actions(Home(tmp_path)) == ()

    def test_no_rows_make_no_file(self, tmp_path: Path) -> None:
        restore_actions(Home(tmp_path), ())
        assert not Home(tmp_path).curation.exists()


@pytest.mark.parametrize("name", ["sea", "  by the sea ", "Zoë's “kitchen” · 台所", "x" * 200])
def test_a_name_is_one_printable_line(name: str) -> None:
    assert checked_name(name) == name.strip()


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "two\nlines", "bell\a", "\udcff", "a\u202eb"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConceptError, match="is no name; give one printable line of 1 to 200 characters"):
        checked_name(name)
