"""Neighbours against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from concept_lib.modeling import groups, neighbours
from concept_lib.modeling.neighbours import (
    MAX_SCORES,
    block_rows,
    exact_neighbors,
    nearest,
    nearest_neighbors,
    top_k,
)


def unit_rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def brute_force(vectors: np.ndarray, k: int) -> np.ndarray:
    distances = 1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(distances, -1)
    return np.argsort(distances, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize(("n", "block"), [(300, 2048), (300, 7), (40, 40)])
def test_finds_every_true_neighbour(n: int, block: int) -> None:
    vectors = unit_rows(n, 24)
    indices, distances = exact_neighbors(vectors, 15, block=block)
    np.testing.assert_array_equal(indices, brute_force(vectors, 15))
    expected = 1 - np.einsum("nd,nkd->nk", vectors.astype(np.float64), vectors[indices])
    np.testing.assert_allclose(distances, expected, atol=1e-6)
    assert indices.dtype == np.int32
    assert distances.dtype == np.float32


def test_duplicates_tie_at_zero_by_index_after_the_row_itself() -> None:
    vectors = unit_rows(5, 33)[[0, 1, 0, 2, 0, 3, 4, 0]]
    indices, distances = exact_neighbors(vectors, 4)
    assert indices[4].tolist() == [4, 0, 2, 7]
    assert indices[0].tolist() == [0, 2, 4, 7]
    assert not distances[[0, 2, 4, 7]].any()


def test_more_ties_than_neighbours_are_settled_by_index() -> None:
    indices, distances = exact_neighbors(np.eye(50, dtype=np.float32), 4)
    assert indices[0].tolist() == [0, 1, 2, 3]
    assert indices[9].tolist() == [9, 0, 1, 2]
    assert distances[9].tolist() == [0, 1, 1, 1]


@given(order=st.permutations(range(30)))
def test_shuffled_rows_have_the_same_neighbours(order: list[int]) -> None:
    vectors = unit_rows(30, 8)
    shuffled, _ = exact_neighbors(vectors[order], 6)
    plain, _ = exact_neighbors(vectors, 6)
    np.testing.assert_array_equal(np.asarray(order)[shuffled], plain[order])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_fewer_rows_than_neighbours(n: int) -> None:
    indices, distances = exact_neighbors(unit_rows(n, 4), 15)
    assert indices.shape == distances.shape == (n, n)
    assert indices[:, :1].ravel().tolist() == list(range(n))


def test_distances_of_opposite_vectors_stay_in_range() -> None:
    vectors = unit_rows(1, 7)
    _, distances = exact_neighbors(np.vstack([vectors, -vectors]), 2)
    assert distances[:, 1] == pytest.approx([2, 2])
    assert distances.max() <= 2


@pytest.mark.parametrize("vectors", [np.zeros(3, np.float32), np.full((2, 2), np.nan, np.float32)])
def test_refuses_what_is_no_finite_matrix(vectors: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite matrix"):
        exact_neighbors(vectors, 2)
    with pytest.raises(ValueError, match="finite matrix"):
        nearest(np.eye(2, dtype=np.float32), vectors, 2)


def test_refuses_impossible_k() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        exact_neighbors(unit_rows(3, 2), 0)
    with pytest.raises(ValueError, match="at least 1"):
        nearest(unit_rows(3, 2), unit_rows(3, 2), 0)
    with pytest.raises(ValueError, match=r"0\.\.3"):
        top_k(np.zeros((1, 3), np.float32), 4)


@given(
    scores=hnp.arrays(
        np.float32, st.tuples(st.integers(0, 4), st.integers(1, 200)), elements=st.integers(-3, 3)
    ),
    k=st.integers(0, 8),
)
def test_top_k_equals_a_stable_sort(scores: np.ndarray, k: int) -> None:
    k = min(k, scores.shape[1])
    np.testing.assert_array_equal(top_k(scores, k), np.argsort(-scores, axis=1, kind="stable")[:, :k])


def test_blocks_stay_within_the_memory_bound() -> None:
    assert all(block_rows(n) * n <= MAX_SCORES for n in (1, 10_000, 1_000_000, MAX_SCORES))
    assert block_rows(10 * MAX_SCORES) == 1
    assert block_rows(0, 16) == 16


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a few hundred vectors count as too many to compare them all."""
    monkeypatch.setattr(neighbours, "MAX_PAIRS", 0)
    monkeypatch.setattr(groups, "GROUP_ROWS", 20)
    monkeypatch.setattr(groups, "LOOKED_AT", (120, 120))


def grouped_rows(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = np.eye(12)[rng.integers(0, 12, n)] + rng.normal(0, 0.25, (n, 12))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@given(seed=st.integers(0, 1000), n=st.integers(1, 90), k=st.integers(1, 20))
def test_nearest_equals_a_stable_sort(seed: int, n: int, k: int) -> None:
    queries, vectors = unit_rows(13, 6, seed), unit_rows(n, 6, seed + 1)[np.arange(n) // 2]
    indices, distances = nearest(queries, vectors, k)
    cosines = queries.astype(float) @ vectors.T.astype(float)
    np.testing.assert_array_equal(indices, np.argsort(-cosines, axis=1, kind="stable")[:, :k])
    np.testing.assert_allclose(distances, 1 - np.take_along_axis(cosines, indices, axis=1), atol=1e-6)


@pytest.mark.usefixtures("many")
def test_of_many_vectors_most_neighbours_are_found_and_their_distances_are_true() -> None:
    vectors = grouped_rows(900, 3)
    for queries, found in (
        (vectors, nearest_neighbors(vectors, 15)),
        (grouped_rows(500, 4), nearest(grouped_rows(500, 4), vectors, 15)),
    ):
        indices, distances = found
        truth = 1 - queries.astype(float) @ vectors.T.astype(float)
        nearest_15 = np.argsort(truth, axis=1)[:, :15]
        shared = [len(np.intersect1d(ours, theirs)) for ours, theirs in zip(indices, nearest_15, strict=True)]
        assert 0.9 < np.mean(shared) / 15 < 1, "all are found only where all are compared"
        np.testing.assert_allclose(distances, np.take_along_axis(truth, indices, axis=1), atol=2e-6)
        assert (np.diff(distances, axis=1) >= 0).all()
        assert all(len(set(row)) == 15 for row in indices.tolist())


@pytest.mark.usefixtures("many")
def test_of_many_vectors_each_finds_itself_first_and_then_its_copies() -> None:
    vectors = np.repeat(grouped_rows(150, 5), 4, axis=0)
    indices, distances = nearest_neighbors(vectors, 4)
    rows = np.arange(600)
    np.testing.assert_array_equal(indices[:, 0], rows)
    np.testing.assert_array_equal(np.sort(indices, axis=1), rows[:, None] // 4 * 4 + np.arange(4))
    assert (np.diff(indices[:, 1:], axis=1) > 0).all()
    assert not distances.any()


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("n", "k"), [(0, 3), (1, 3), (130, 400), (600, 599)])
def test_of_many_vectors_as_many_are_found_as_are_wanted(n: int, k: int) -> None:
    vectors = grouped_rows(n, 6)
    indices, _ = nearest_neighbors(vectors, k)
    np.testing.assert_array_equal(indices[:, :1].ravel(), np.arange(n))
    assert indices.shape == nearest(vectors, vectors, k)[0].shape == (n, min(k, n))
    if k >= n > 1:
        np.testing.assert_array_equal(np.sort(indices, axis=1), np.tile(np.arange(n), (n, 1)))


@pytest.mark.usefixtures("many")
def test_of_many_vectors_all_alike_neighbours_are_the_first_ones() -> None:
    indices, distances = nearest_neighbors(np.tile(unit_rows(1, 5), (300, 1)), 3)
    assert indices[[0, 1, 299]].tolist() == [[0, 1, 2], [1, 0, 2], [299, 0, 1]]
    assert not distances.any()


@pytest.mark.usefixtures("many")
def test_two_searches_of_many_vectors_agree() -> None:
    vectors = grouped_rows(700, 8)
    for ours, theirs in zip(nearest_neighbors(vectors, 9), nearest_neighbors(vectors.copy(), 9), strict=True):
        np.testing.assert_array_equal(ours, theirs)
