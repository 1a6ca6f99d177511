"""Clusters: recovered groups, order of numbers, and every way to have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_lib.modeling.cluster import auto_concept_size, cluster


def blobs(sizes: list[int], spread: float = 0.05, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    centres = 10.0 * np.arange(len(sizes))[:, None] * np.ones(5)
    return centres[truth] + spread * rng.normal(size=(len(truth), 5)), truth


def test_groups_are_found_and_numbered_by_size_then_lowest_row() -> None:
    points, truth = blobs([12, 30, 20, 20])
    found = cluster(points, min_concept_size=8)
    numbers = {0: 3, 1: 0, 2: 1, 3: 2}
    inside = found.labels >= 0
    assert inside.mean() > 0.8
    assert found.n_clusters == 4
    np.testing.assert_array_equal(found.labels[inside], np.vectorize(numbers.get)(truth[inside]))
    assert 0.5 < found.relative_validity <= 1
    assert found.labels.dtype == np.int32
    assert found.probabilities.dtype == np.float32


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(6, 20), min_size=2, max_size=5), seed=st.integers(0, 99))
def test_numbers_are_ordered_and_noise_has_no_strength(sizes: list[int], seed: int) -> None:
    points, _ = blobs(sizes, seed=seed)
    order = np.random.default_rng(seed).permutation(len(points))
    found = cluster(points[order], min_concept_size=5, min_samples=2)
    rows = [np.flatnonzero(found.labels == number) for number in range(found.n_clusters)]
    keys = [(-len(members), members[0]) for members in rows]
    assert keys == sorted(keys)
    assert all(len(members) >= 5 for members in rows)
    np.testing.assert_array_equal(found.labels < 0, found.probabilities == 0)
    assert found.probabilities.max() <= 1


@pytest.mark.parametrize("n", [0, 1, 2, 5, 7])
def test_too_few_rows_are_noise(n: int) -> None:
    found = cluster(np.arange(5.0 * n).reshape(n, 5), min_concept_size=8)
    assert found.labels.tolist() == [-1] * n
    assert found.probabilities.tolist() == [0] * n
    assert found.n_clusters == 0
    assert np.isnan(found.relative_validity)


@pytest.mark.parametrize("points", [np.zeros((40, 5)), blobs([9])[0]], ids=["one point", "one region"])
def test_a_single_region_is_noise_without_validity(points: np.ndarray) -> None:
    found = cluster(points, min_concept_size=8)
    assert found.n_clusters == 0
    assert np.isnan(found.relative_validity)


def test_equal_points_cluster_with_finite_strength() -> None:
    found = cluster(np.repeat(np.eye(3), 20, axis=0), min_concept_size=8)
    assert found.n_clusters == 3
    np.testing.assert_array_equal(found.probabilities, np.ones(60))


def test_pairs_can_be_concepts() -> None:
    found = cluster(np.array([[0.0], [0.1], [9.0], [9.1]]), min_concept_size=2, min_samples=1)
    assert found.labels.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("bad", [{"min_concept_size": 1}, {"min_concept_size": 5, "min_samples": 0}])
def test_refuses_sizes_too_small(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        cluster(np.zeros((9, 2)), **bad)


def test_refuses_nan() -> None:
    with pytest.raises(ValueError, match="finite"):
        cluster(np.full((9, 2), np.nan), min_concept_size=5)


def test_auto_size_is_clipped() -> None:
    assert [auto_concept_size(n) for n in (0, 399, 480, 1743, 2400, 1_000_000)] == [5, 5, 6, 21, 30, 30]
