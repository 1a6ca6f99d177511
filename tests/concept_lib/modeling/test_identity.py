"""Ids are never used twice; events and moves tell exactly what changed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from concept_lib.modeling.identity import ConceptState, concept_events, fresh_ids, image_moves

IMAGES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-1, 4))
CONCEPTS = st.dictionaries(
    st.integers(0, 9), st.builds(ConceptState, st.integers(2, 50), st.sampled_from(["cat", "dog", "unnamed"]))
)


@given(states=st.lists(IMAGES, max_size=8))
def test_moves_replay_to_the_present(states: list[dict[str, int]]) -> None:
    replayed: dict[str, int] = {}
    before: dict[str, int] = {}
    for after in states:
        for move in image_moves(before, after):
            assert move["from_concept_id"] == replayed.get(move["image_id"])
            if move["to_concept_id"] is None:
                del replayed[move["image_id"]]
            else:
                replayed[move["image_id"]] = move["to_concept_id"]
        assert replayed == after
        before = after


@given(before=IMAGES, after=IMAGES)
def test_moves_are_changes_only_sorted_by_image(before: dict[str, int], after: dict[str, int]) -> None:
    moves = image_moves(before, after)
    assert all(move["from_concept_id"] != move["to_concept_id"] for move in moves)
    ids = [move["image_id"] for move in moves]
    assert ids == sorted(set(ids))
    assert image_moves(after, after) == []


@given(before=CONCEPTS, after=CONCEPTS)
def test_events_are_the_two_differences(
    before: dict[int, ConceptState], after: dict[int, ConceptState]
) -> None:
    events = concept_events(before, after)
    assert {e["concept_id"] for e in events if e["kind"] == "born"} == set(after) - set(before)
    assert {e["concept_id"] for e in events if e["kind"] == "died"} == set(before) - set(after)
    assert [e["event_no"] for e in events] == list(range(1, len(events) + 1))
    keys = [(e["kind"], e["concept_id"]) for e in events]
    assert keys == sorted(keys)
    for event in events:
        was, now = before.get(event["concept_id"]), after.get(event["concept_id"])
        assert (event["n_before"], event["label_before"]) == (was or (None, None))
        assert (event["n_after"], event["label_after"]) == (now or (None, None))
        assert event["other_concept_id"] is None
        assert event["overlap"] is None


def test_fresh_ids_of_consecutive_fits_never_meet() -> None:
    first = fresh_ids(3, 0)
    second = fresh_ids(2, 0 + len(first))
    assert [*first, *second] == [0, 1, 2, 3, 4]
    assert fresh_ids(0, 9).tolist() == []


def test_a_concept_that_stays_under_another_label_is_renamed() -> None:
    before = {3: ConceptState(9, "cat"), 4: ConceptState(5, "dog")}
    after = {3: ConceptState(9, "kitten"), 4: ConceptState(5, "dog")}
    [event] = concept_events(before, after)
    assert (event["kind"], event["concept_id"], event["n_before"], event["n_after"]) == ("renamed", 3, 9, 9)
    assert (event["label_before"], event["label_after"]) == ("cat", "kitten")
