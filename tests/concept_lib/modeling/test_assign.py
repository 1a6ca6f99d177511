"""New images in a standing fit, against votes counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from concept_lib.modeling.assign import assign, interpolated


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def standing(seed: int, n: int = 60, dim: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three loose groups, some outliers, and two exemplars of each group."""
    rng = np.random.default_rng(seed)
    concepts = rng.integers(-1, 3, n) * 4  # ids -4 (made -1 below), 0, 4, 8
    vectors = unit(np.eye(dim)[np.maximum(concepts, 0) // 4] + rng.normal(0, 0.35, (n, dim)))
    concepts[concepts < 0] = -1
    ranks = np.zeros(n, int)
    for concept in (0, 4, 8):
        ranks[np.flatnonzero(concepts == concept)[:2]] = [1, 2]
    return vectors, concepts, ranks


def test_the_vote_is_that_of_scikit_learn() -> None:
    vectors, concepts, ranks = standing(1)
    new = unit(np.random.default_rng(2).normal(size=(80, 6)))
    found = assign(new, vectors, concepts, ranks, n_neighbors=7)
    model = KNeighborsClassifier(7, weights="distance", metric="cosine").fit(vectors.astype(float), concepts)
    votes = model.predict_proba(new.astype(float))
    placed = found.concepts >= 0
    assert placed.any()
    assert np.array_equal(found.concepts[placed], model.classes_[votes.argmax(axis=1)][placed])
    np.testing.assert_allclose(found.shares[placed], votes.max(axis=1)[placed], atol=1e-4)
    assert (found.shares[~placed] == 0).all()


def test_an_image_out_of_reach_of_its_concept_is_an_outlier() -> None:
    vectors, concepts, ranks = standing(3)
    new = unit(np.random.default_rng(4).normal(size=(200, 6)))
    found = assign(new, vectors, concepts, ranks, n_neighbors=5)
    refused = 0
    for row, winner in enumerate(concepts[found.firmest]):
        if winner < 0:
            assert found.concepts[row] == -1
            continue
        members = np.flatnonzero(concepts == winner)
        shown = [m for m in members if ranks[m]]
        reach = min(max(vectors[m] @ vectors[e] for e in shown if e != m) for m in members)
        nearest = max(new[row] @ vectors[e] for e in shown)
        assert found.concepts[row] == (winner if nearest >= reach - 1e-5 else -1)
        refused += nearest < reach
    assert refused, "the example shows nothing"


def test_a_copy_of_a_member_belongs_where_the_member_does_and_lies_there() -> None:
    vectors, concepts, ranks = standing(5)
    found = assign(vectors, vectors, concepts, ranks)
    assert np.array_equal(found.concepts, concepts)
    layout = np.random.default_rng(0).normal(size=(60, 2))
    np.testing.assert_allclose(interpolated(layout, found), layout, atol=1e-3)


def test_coordinates_are_those_of_the_neighbours_that_agree() -> None:
    vectors = unit(np.array([[1, 0, 0], [1, 0.1, 0], [1, 0, 0.2], [0, 0, 1]]))
    concepts, ranks = np.array([5, 5, 2, 2]), np.array([1, 2, 1, 2])
    layout = np.array([[0, 0], [2, 0], [100, 100], [90, 90]], float)
    found = assign(unit(np.array([[1, 0.05, 0]])), vectors, concepts, ranks, n_neighbors=3)
    [place] = interpolated(layout, found)
    assert found.concepts.tolist() == [5]
    assert 0 < place[0] < 2
    assert place[1] == 0
    assert found.weights.sum() == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_the_standing_images_does_not_matter(seed: int) -> None:
    vectors, concepts, ranks = standing(seed)
    new = unit(np.random.default_rng(seed + 1).normal(size=(9, 6)))
    order = np.random.default_rng(seed + 2).permutation(len(vectors))
    ours = assign(new, vectors, concepts, ranks)
    theirs = assign(new, vectors[order], concepts[order], ranks[order])
    assert np.array_equal(ours.concepts, theirs.concepts)
    np.testing.assert_allclose(ours.shares, theirs.shares, atol=1e-5)


def test_nothing_to_place_and_nothing_that_stands() -> None:
    vectors, concepts, ranks = standing(7)
    nothing = assign(vectors[:0], vectors, concepts, ranks)
    assert (len(nothing.concepts), interpolated(np.zeros((60, 2)), nothing).shape) == (0, (0, 2))
    with pytest.raises(ValueError, match="at least one"):
        assign(vectors, vectors[:0], concepts[:0], ranks[:0])
