"""Memberships as tables, and an earlier state seen from the images of now."""

from __future__ import annotations

import numpy as np
import pytest

from concept_lib.database.members import (
    cluster_table,
    exemplars_of,
    member_table,
    placed_table,
    raw_cluster_table,
    raw_clusters,
    standing_state,
    with_placed,
)
from concept_lib.modeling.membership import Membership
from concept_lib.modeling.portraits import Portraits, portray

IDS = ["a", "b", "c", "d", "e"]


@pytest.fixture
def state() -> tuple[Membership, Portraits]:
    """Concept 4 holds a, c and d (d was once concept 6, which the user merged into it); b and e are outliers."""
    members = Membership(
        raw_ids=np.array([4, -1, 4, 6, -1], np.int32),
        concept_ids=np.array([4, -1, 4, 4, -1], np.int32),
        probabilities=np.array([1, 0, 0.5, 0.25, 0], np.float32),
        fitted=np.array([True, True, True, False, False]),
    )
    return members, portray(np.eye(5, dtype=np.float32), members)


def test_a_state_comes_back_as_it_was_stored(state: tuple[Membership, Portraits]) -> None:
    members, portraits = state
    table = member_table(IDS, members, portraits)
    space, plane = np.arange(10, dtype=np.float32).reshape(5, 2), np.ones((5, 2), np.float32)
    found = standing_state(IDS, table, space, plane, n_fit=9)
    assert found.known.all()
    for ours, theirs in zip(found.members, members, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(found.ranks, portraits.ranks)
    np.testing.assert_array_equal(found.space, space)
    assert found.n_fit == 9


def test_images_are_found_by_id_whatever_the_order(state: tuple[Membership, Portraits]) -> None:
    table = member_table(IDS, *state)
    space, plane = np.arange(10, dtype=np.float32).reshape(5, 2), np.ones((5, 2), np.float32)
    found = standing_state(["d", "new", "a"], table, space, plane, n_fit=3)
    assert found.known.tolist() == [True, False, True]
    assert found.members.concept_ids.tolist() == [4, -1, 4]
    assert found.members.raw_ids.tolist() == [6, -1, 4]
    assert found.members.fitted.tolist() == [False, False, True]
    np.testing.assert_array_equal(found.space, [[6, 7], [np.nan, np.nan], [0, 1]])
    nothing = standing_state(["x"], table.slice(0, 0), space[:0], plane[:0], n_fit=0)
    assert nothing.known.tolist() == [False]
    np.testing.assert_array_equal(nothing.plane, [[np.nan, np.nan]])


def test_what_was_placed_is_taken_in_by_id(state: tuple[Membership, Portraits]) -> None:
    members, _ = state
    table = placed_table(IDS, members, np.array([3, 2]))
    nobody = Membership(
        np.full(3, -1, np.int32), np.full(3, -1, np.int32), np.zeros(3, np.float32), np.zeros(3, bool)
    )
    found = with_placed(["c", "d", "z"], nobody, table)
    assert found.raw_ids.tolist() == [4, 6, -1]
    assert found.concept_ids.tolist() == [4, 4, -1]
    assert found.probabilities.tolist() == [0.5, 0.25, 0]


def test_a_concept_tells_its_size_and_its_number_in_the_fit(state: tuple[Membership, Portraits]) -> None:
    [row] = cluster_table(*state, {4: 1, 6: 0}).to_pylist()
    assert row == {"concept_id": 4, "cluster": 1, "n_images": 3, "n_fitted": 2}
    assert cluster_table(*state, {}).to_pylist()[0]["cluster"] is None
    assert raw_clusters(raw_cluster_table({6: 0, 4: 1})) == {4: 1, 6: 0}


def test_exemplars_are_listed_best_first(state: tuple[Membership, Portraits]) -> None:
    members, portraits = state
    ranks = np.array([2, 0, 1, 0, 0], np.int32)
    assert exemplars_of(member_table(IDS, members, portraits._replace(ranks=ranks))) == {4: ["c", "a"]}
