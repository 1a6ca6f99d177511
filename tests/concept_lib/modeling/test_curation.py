"""Merges and pins against plain sets of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.modeling.curation import keep_pinned, merged_ids

ids = st.integers(-1, 5)
states = st.lists(st.tuples(st.integers(-2, 5), ids), max_size=30)
pins = st.sets(st.integers(0, 6))


def members(labels: np.ndarray) -> dict[int, set[int]]:
    return {int(label): set(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Old and new concepts of some images; the new ones have two members at least, as a fit's have."""
    before, after = np.array(pairs, np.int64).reshape(-1, 2).T
    found, sizes = np.unique(after, return_counts=True)
    return before, np.where(np.isin(after, found[sizes < 2]), -1, after)


@given(raw=st.lists(ids), merges=st.dictionaries(st.integers(0, 2), st.integers(3, 5)))
def test_merged_images_are_shown_where_they_were_merged_into(raw: list[int], merges: dict[int, int]) -> None:
    shown = merged_ids(np.array(raw, np.int32), merges)
    assert shown.dtype == np.int32
    assert shown.tolist() == [merges.get(concept, concept) for concept in raw]


def test_merging_leaves_the_raw_ids_alone() -> None:
    raw = np.array([3, 5, 5], np.int32)
    merged_ids(raw, {5: 3})
    assert raw.tolist() == [3, 5, 5]


@given(pairs=states, pinned=pins)
def test_a_pinned_concept_lasts_while_two_of_its_images_do(
    pairs: list[tuple[int, int]], pinned: set[int]
) -> None:
    before, after = arrays(pairs)
    was, kept = members(before), members(keep_pinned(before, after, pinned))
    for concept in pinned:
        if len(was.get(concept, ())) >= 2:
            assert len(kept[concept]) >= 2


@given(pairs=states, pinned=pins)
def test_images_stay_where_the_fit_put_them_or_go_back_to_a_pinned_concept(
    pairs: list[tuple[int, int]], pinned: set[int]
) -> None:
    before, after = arrays(pairs)
    now = keep_pinned(before, after, pinned)
    kept, found = members(now), members(after)
    back = {concept for concept in kept if concept in pinned and kept[concept] != found.get(concept)}
    returned = {image for concept in back for image in kept[concept] if after[image] != concept}
    assert all(before[image] == now[image] for image in returned)
    dissolved = {
        image for concept, images in found.items() for image in images if len(images - returned) == 1
    }
    for image in set(range(len(now))) - returned - dissolved:
        assert now[image] == after[image]
    assert all(len(images) >= 2 for concept, images in kept.items() if concept >= 0)


@given(pairs=states, pinned=pins)
def test_nothing_changes_where_every_pinned_concept_was_found(
    pairs: list[tuple[int, int]], pinned: set[int]
) -> None:
    before, after = arrays(pairs)
    found = pinned & set(after.tolist())
    np.testing.assert_array_equal(keep_pinned(before, after, found), after)


@given(pairs=states, pinned=pins, data=st.data())
def test_the_order_of_images_does_not_matter(
    pairs: list[tuple[int, int]], pinned: set[int], data: st.DataObject
) -> None:
    before, after = arrays(pairs)
    order = np.array(data.draw(st.permutations(range(len(before)))), int)
    expected = keep_pinned(before, after, pinned)
    np.testing.assert_array_equal(keep_pinned(before[order], after[order], pinned), expected[order])


def test_a_pinned_concept_that_loses_its_borrowed_images_gets_its_own_back() -> None:
    """Concept 2 was found with two images of the lost concept 1; its own two had become outliers."""
    before, after = np.array([1, 1, 2, 2]), np.array([2, 2, -1, -1])
    assert keep_pinned(before, after, {1, 2}).tolist() == [1, 1, 2, 2]
    assert keep_pinned(before, after, {1}).tolist() == [1, 1, -1, -1]


def test_a_single_survivor_does_not_make_a_concept() -> None:
    assert keep_pinned(np.array([1, -2, -2]), np.array([4, 4, -1]), {1}).tolist() == [4, 4, -1]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="lengths differ: 1 old concepts, 2 new ones"):
        keep_pinned(np.array([1]), np.array([1, 1]), {1})
