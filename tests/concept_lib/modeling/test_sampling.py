"""Samples against the collections that they stand for, and what spreads from them against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from concept_lib.modeling.assign import assign
from concept_lib.modeling.cluster import Clustering
from concept_lib.modeling.exemplars import choose_exemplars
from concept_lib.modeling.sampling import (
    Sample,
    allocated,
    content_keys,
    sampled,
    spread_clusters,
    spread_layout,
    stratified_sample,
)

SIZES = [500, 300, 150, 50]


def groups(seed: int = 0, sizes: list[int] = SIZES, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in tight groups, shuffled, and the true group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    vectors = np.eye(dim)[truth] + rng.normal(0, 0.08, (len(truth), dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), truth


def keys(n: int, seed: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).permutation(n)


def test_a_sample_holds_every_group_in_proportion() -> None:
    vectors, truth = groups()
    drawn = stratified_sample(vectors, 200, keys(1000))
    assert len(np.unique(drawn)) == 200
    assert (np.diff(drawn) > 0).all()
    np.testing.assert_allclose(np.bincount(truth[drawn]), np.array(SIZES) / 5, atol=10)


def test_it_is_closer_to_proportion_than_a_plain_draw() -> None:
    vectors, truth = groups()
    wanted = np.array(SIZES) / 5

    def error(drawn: np.ndarray) -> float:
        return float(np.abs(np.bincount(truth[drawn], minlength=4) - wanted).sum())

    ours = [error(stratified_sample(vectors, 200, keys(1000, seed))) for seed in range(20)]
    plain = [error(keys(1000, seed)[:200]) for seed in range(20)]
    assert np.mean(ours) < 0.6 * np.mean(plain)


def test_all_are_drawn_where_there_are_no_more() -> None:
    vectors, _ = groups()
    for size in (1000, 5000):
        assert stratified_sample(vectors, size, keys(1000)).tolist() == list(range(1000))
    assert stratified_sample(vectors[:0], 10, keys(0)).tolist() == []


def test_the_order_of_the_images_does_not_matter() -> None:
    vectors, _ = groups()
    numbers, order = keys(1000), np.random.default_rng(3).permutation(1000)
    ours = stratified_sample(vectors, 130, numbers)
    theirs = stratified_sample(vectors[order], 130, numbers[order])
    assert set(ours.tolist()) == set(order[theirs].tolist())


def test_a_later_sample_of_the_same_images_and_some_more_is_nearly_the_same() -> None:
    vectors, _ = groups()
    numbers = keys(1000)
    before = set(stratified_sample(vectors[:900], 200, numbers[:900]).tolist())
    after = set(stratified_sample(vectors, 200, numbers).tolist())
    assert len(before & after) > 150  # 22 of 200 would be by chance


def test_keys_come_from_contents_and_seed() -> None:
    ids = [f"{number:016x}" + "0" * 48 for number in (5, 1 << 63, 77)]
    assert content_keys(ids, 1).tolist() == content_keys(ids[::-1], 1).tolist()[::-1]
    assert content_keys(ids, 1).tolist() != content_keys(ids, 2).tolist()
    assert len(set(content_keys(ids, 1).tolist())) == 3


def test_a_sample_of_none_and_keys_of_others_are_refused() -> None:
    vectors, _ = groups()
    with pytest.raises(ValueError, match="size must be at least 1"):
        stratified_sample(vectors, 0, keys(1000))
    with pytest.raises(ValueError, match="keys as many"):
        stratified_sample(vectors, 10, keys(10))


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.floats(0, 1), st.integers(0, 6))
def test_an_allocation_is_proportional_but_for_the_floor(sizes: list[int], share: float, floor: int) -> None:
    counts = np.array(sizes)
    total = int(share * counts.sum())
    floor = min(floor, total // len(counts))
    drawn = allocated(counts, total, floor)
    assert drawn.sum() == total
    assert (drawn <= counts).all()
    assert (drawn >= np.minimum(counts, floor)).all()
    if floor == 0 and total:
        assert (np.abs(drawn - total * counts / counts.sum()) < 1).all()


def test_neighbours_of_the_others_are_those_of_a_full_search() -> None:
    vectors, _ = groups(sizes=[40, 20])
    rows = np.arange(0, 60, 3, dtype=np.int32)
    found = sampled(vectors, rows, k=4)
    assert sorted([*found.rows.tolist(), *found.others.tolist()]) == list(range(60))
    cosines = vectors[found.others].astype(float) @ vectors[rows].astype(float).T
    best = np.argsort(-cosines, axis=1)[:, :4]
    assert np.array_equal(found.neighbors, best)
    np.testing.assert_allclose(found.distances, 1 - np.take_along_axis(cosines, best, axis=1), atol=1e-5)
    assert found.share == pytest.approx(1 / 3)
    assert np.array_equal(np.flatnonzero(found.mask), rows)


def test_others_are_placed_in_clusters_as_new_images_are_in_concepts() -> None:
    vectors, truth = groups(sizes=[60, 40, 30])
    rows = np.sort(keys(130)[:70]).astype(np.int32)
    labels = np.where(truth[rows] == 2, -1, truth[rows]).astype(np.int32)
    found = Clustering(labels, (labels >= 0).astype(np.float32), 0.5)
    sample = sampled(vectors, rows, k=5)
    spread = spread_clusters(found, vectors, sample)
    ranks = np.zeros(70, int)
    for shown in choose_exemplars(vectors[rows], labels, found.probabilities):
        ranks[shown] = range(1, len(shown) + 1)
    placed = assign(vectors[sample.others], vectors[rows], labels, ranks, n_neighbors=5)
    assert np.array_equal(spread.labels[rows], labels)
    assert np.array_equal(spread.labels[sample.others], placed.concepts)
    np.testing.assert_array_equal(spread.probabilities[sample.others], placed.shares)
    assert (spread.labels[truth == 2] == -1).all()
    assert spread.relative_validity == 0.5


def test_an_image_lies_at_the_spatial_median_of_its_neighbours() -> None:
    rng = np.random.default_rng(0)
    layout = rng.normal(size=(30, 2)).astype(np.float32)
    layout[20:] += 40  # a third of the places lie elsewhere
    near = np.stack([rng.choice(20, 6, replace=False), [*range(4), 25, 26]]).astype(np.int32)
    distances = rng.uniform(0.2, 0.4, near.shape).astype(np.float32)
    sample = Sample(np.arange(30, dtype=np.int32), np.array([30, 31], np.int32), near, distances)
    spread = spread_layout(layout, sample)
    assert np.array_equal(spread[:30], layout)
    for row, places, weights in zip(spread[30:], layout[near], 1 / distances, strict=True):
        best = minimize(
            lambda at, p=places, w=weights: w @ np.linalg.norm(p - at, axis=1),
            places[:3].mean(axis=0),
            method="Nelder-Mead",
        )
        np.testing.assert_allclose(row, best.x, atol=0.05)
    assert np.linalg.norm(spread[31]) < 3, "the two that lie elsewhere do not draw it out"


def test_a_copy_of_an_image_of_the_sample_lies_where_that_lies() -> None:
    vectors, _ = groups(sizes=[20, 20])
    twice = np.concatenate([vectors, vectors])
    sample = sampled(twice, np.arange(40, dtype=np.int32), k=8)
    layout = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    np.testing.assert_allclose(spread_layout(layout, sample)[40:], layout, atol=1e-3)
