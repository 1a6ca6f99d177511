"""Matching against every possible one; ids are never used twice, whatever the order of rows and clusters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from concept_lib.modeling.identity import best_relabelling, drift, match_concepts, overlap, survivors

OLD_IDS = np.array([2, 3, 5, 7, 11, -1])
FREE = 20


@st.composite
def two_assignments(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Old concepts and new clusters of some survivors: mostly alike, so that pairs of high Jaccard occur."""
    n = draw(st.integers(0, 40))
    old = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    other = draw(st.lists(st.integers(-1, 4), min_size=n, max_size=n))
    stays = draw(st.lists(st.sampled_from([True, True, True, False]), min_size=n, max_size=n))
    order = draw(st.permutations([0, 1, 2, 3, 4]))
    new = [
        (order[was] if was < 5 else -1) if stay else now
        for was, now, stay in zip(old, other, stays, strict=True)
    ]
    return OLD_IDS[np.array(old, int)], np.array(new, int)


def members(labels: np.ndarray) -> dict[int, set[int]]:
    return {int(label): set(np.flatnonzero(labels == label)) for label in np.unique(labels) if label >= 0}


def jaccards(before: np.ndarray, after: np.ndarray) -> dict[tuple[int, int], tuple[int, float]]:
    """Shared survivors and Jaccard index of every pair that meets."""
    return {
        (old, new): (len(a & b), len(a & b) / len(a | b))
        for old, a in members(before).items()
        for new, b in members(after).items()
        if a & b
    }


def pairings(olds: list[int], news: set[int]) -> Iterator[dict[int, int]]:
    """Every one-to-one pairing of old concepts with new clusters, partial ones too."""
    if not olds:
        yield {}
        return
    for rest in pairings(olds[1:], news):
        yield rest
        for new in news - set(rest.values()):
            yield {olds[0]: new, **rest}


def best(before: np.ndarray, after: np.ndarray, least: float) -> tuple[int, list[dict[int, int]]]:
    """Most survivors that any pairing of admissible pairs keeps, and all pairings that keep them."""
    known = jaccards(before, after)
    found = [
        pairing
        for pairing in pairings(sorted(members(before)), set(members(after)))
        if all(known.get(pair, (0, 0.0))[1] >= least for pair in pairing.items())
    ]
    kept = [sum(known[pair][0] for pair in pairing.items()) for pairing in found]
    return max(kept), [pairing for pairing, n in zip(found, kept, strict=True) if n == max(kept)]


def taken_over(ids: np.ndarray) -> dict[int, int]:
    return {int(key): cluster for cluster, key in enumerate(ids) if key < FREE}


@given(states=two_assignments(), least=st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_no_pairing_keeps_more_images(states: tuple[np.ndarray, np.ndarray], least: float) -> None:
    before, after = states
    matched = taken_over(match_concepts(before, after, 5, FREE, min_jaccard=least))
    most, pairs = best(before, after, least)
    assert matched in pairs
    known = jaccards(before, after)
    assert sum(known[pair][0] for pair in matched.items()) == most
    together = [sum(known[pair][1] for pair in pairing.items()) for pairing in pairs]
    assert sum(known[pair][1] for pair in matched.items()) == pytest.approx(max(together))


@given(states=two_assignments(), extra=st.integers(0, 3))
def test_ids_are_distinct_old_or_never_used(states: tuple[np.ndarray, np.ndarray], extra: int) -> None:
    before, after = states
    ids = match_concepts(before, after, 5 + extra, FREE)
    assert ids.dtype == np.int32
    assert len(set(ids.tolist())) == len(ids) == 5 + extra
    new = [key for key in ids.tolist() if key not in set(before.tolist())]
    assert new == list(range(FREE, FREE + len(new))), "in the order of their clusters"


@given(states=two_assignments(), data=st.data())
def test_the_order_of_rows_does_not_matter(
    states: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    before, after = states
    order = np.array(data.draw(st.permutations(range(len(before)))), int)
    expected = match_concepts(before, after, 5, FREE)
    np.testing.assert_array_equal(match_concepts(before[order], after[order], 5, FREE), expected)


@given(states=two_assignments(), order=st.permutations([0, 1, 2, 3, 4]))
def test_the_numbers_of_clusters_do_not_matter(
    states: tuple[np.ndarray, np.ndarray], order: list[int]
) -> None:
    before, after = states
    assume(len(best(before, after, 0.3)[1]) == 1)  # among equals the numbers may decide
    renumbered = np.append(order, -1)[after]
    ours = taken_over(match_concepts(before, after, 5, FREE))
    theirs = taken_over(match_concepts(before, renumbered, 5, FREE))
    assert theirs == {key: order[cluster] for key, cluster in ours.items()}


@given(before=two_assignments().map(lambda states: states[0]))
def test_an_unchanged_grouping_keeps_every_id(before: np.ndarray) -> None:
    old, after = np.unique(before[before >= 0]), before.copy()
    after[before >= 0] = np.searchsorted(old, before[before >= 0])
    np.testing.assert_array_equal(match_concepts(before, after, len(old), FREE), old)


@given(fits=st.lists(two_assignments().map(lambda states: states[1]), min_size=2, max_size=8))
def test_ids_never_come_back_to_life(fits: list[np.ndarray]) -> None:
    n = max(map(len, fits))
    seen: set[int] = set()
    living: set[int] = set()
    assignment, free = np.zeros(0, int), 0
    for clusters in fits:
        after = np.full(n, -1)
        after[: len(clusters)] = clusters
        before = np.full(n, -1)
        before[: len(assignment)] = assignment
        ids = match_concepts(before, after, 5, free)
        now = set(ids.tolist())
        assert (now - living).isdisjoint(seen)
        free = max(free, int(ids.max()) + 1)
        assignment, living = np.append(ids, -1)[after], now
        seen |= now


def test_the_larger_part_of_a_split_keeps_the_id() -> None:
    before, after = np.array([4] * 10), np.array([0] * 4 + [1] * 6)
    assert match_concepts(before, after, 2, 5).tolist() == [5, 4]


def test_of_equal_parts_the_purer_one_keeps_the_id() -> None:
    before, after = np.array([4] * 10 + [-1] * 3), np.array([0] * 5 + [1] * 5 + [0] * 3)
    assert match_concepts(before, after, 2, 5).tolist() == [5, 4]


def test_a_merge_keeps_the_id_of_its_largest_source() -> None:
    before, after = np.array([4] * 3 + [9] * 7), np.zeros(10, int)
    assert match_concepts(before, after, 1, 10).tolist() == [9]


def test_a_pair_at_the_bound_is_accepted_and_one_below_is_not() -> None:
    before = np.array([4] * 3 + [-1] * 7)
    assert match_concepts(before, np.zeros(10, int), 1, 5, min_jaccard=0.3).tolist() == [4]
    assert match_concepts(np.append(before, -1), np.zeros(11, int), 1, 5, min_jaccard=0.3).tolist() == [5]


def test_empty_states() -> None:
    nothing = np.zeros(0, int)
    assert match_concepts(nothing, nothing, 0, 0).tolist() == []
    assert match_concepts(nothing, nothing, 3, 7).tolist() == [7, 8, 9]
    assert match_concepts(np.array([1, 1]), np.array([-1, -1]), 0, 2).tolist() == []
    assert match_concepts(np.array([-1, -1]), np.array([0, 0]), 1, 2).tolist() == [2]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"next_free_id": 4}, "next_free_id must be above"),
        ({"n_clusters": 1}, "clusters must be within"),
        ({"min_jaccard": 0.0}, "min_jaccard must be"),
        ({"after": np.array([0])}, "lengths differ"),
    ],
)
def test_refuses_what_cannot_be(changed: dict[str, object], says: str) -> None:
    given_ = {"before": np.array([4, 4]), "after": np.array([0, 1]), "n_clusters": 2, "next_free_id": 5}
    with pytest.raises(ValueError, match=says):
        match_concepts(**{**given_, **changed})


@given(states=two_assignments())
def test_overlap_counts_survivors(states: tuple[np.ndarray, np.ndarray]) -> None:
    before, after = states
    found = overlap(before, after)
    assert found.before.tolist() == sorted(members(before))
    assert found.after.tolist() == sorted(members(after))
    assert found.n_before.tolist() == [len(members(before)[key]) for key in sorted(members(before))]
    assert found.n_after.tolist() == [len(members(after)[key]) for key in sorted(members(after))]
    pairs = {
        (int(found.before[i]), int(found.after[j])): (int(found.shared[i, j]), float(found.jaccard[i, j]))
        for i, j in np.argwhere(found.shared)
    }
    assert pairs == jaccards(before, after)


def test_best_relabelling_pairs_no_strangers() -> None:
    rows, columns = best_relabelling(overlap(np.array([1, 1, 2]), np.array([0, 0, -1])))
    assert (rows.tolist(), columns.tolist()) == ([0], [0])


@given(
    before=st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 3)),
    after=st.dictionaries(st.sampled_from("abcdef"), st.integers(-1, 3)),
)
def test_survivors_are_the_images_of_both_states(before: dict[str, int], after: dict[str, int]) -> None:
    was, now = survivors(before, after)
    both = [image for image in "abcdef" if image in before and image in after]
    assert was.tolist() == [before[image] for image in both]
    assert now.tolist() == [after[image] for image in both]


def test_drift_is_one_minus_cosine() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=(2, 64)).astype(np.float32)
    cosine = (
        ours.astype(float)
        @ theirs
        / np.linalg.norm(ours.astype(float))
        / np.linalg.norm(theirs.astype(float))
    )
    assert drift(ours, theirs) == pytest.approx(1 - cosine, abs=1e-7)
    assert drift(ours, ours) == 0
    assert drift(ours, -ours) == pytest.approx(2)
