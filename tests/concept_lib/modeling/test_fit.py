"""A fit against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from concept_lib.modeling.exemplars import StandingExemplars
from concept_lib.modeling.fit import fit_concepts


def planted(sizes: list[int], noise: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unit vectors in groups, a reduced space in which they lie far apart, and the true group of each."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    vectors = np.eye(8)[truth] + rng.normal(0, 0.05, (len(truth), 8))
    reduced = 20.0 * np.eye(8)[truth, :5] + 7.0 * truth[:, None] + rng.normal(0, 0.1, (len(truth), 5))
    stray = rng.normal(0, 1, (noise, 8))
    far = rng.uniform(-400, -100, (noise, 5))
    vectors = np.concatenate([vectors, stray])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    truth = np.concatenate([truth, np.full(noise, -1)])
    return vectors.astype(np.float32), np.concatenate([reduced, far]).astype(np.float32), truth


def test_planted_groups_come_out_largest_first_with_consistent_numbers() -> None:
    vectors, reduced, truth = planted([12, 30, 20], noise=3)
    fit = fit_concepts(vectors, reduced, min_concept_size=6, n_exemplars=4)
    assert np.array_equal(np.bincount(fit.labels[fit.labels >= 0]), [30, 20, 12])
    order = np.array([2, 0, 1, -1])  # size order of the planted groups; the last serves the strays
    assert np.array_equal(fit.labels, order[truth])
    assert np.allclose(np.linalg.norm(fit.vectors, axis=1), 1, atol=1e-6)
    members = fit.labels >= 0
    expected = np.sum(vectors[members] * fit.vectors[fit.labels[members]], axis=1)
    assert np.allclose(fit.similarities[members], expected, atol=1e-6)
    assert np.isnan(fit.similarities[~members]).all()
    assert (fit.probabilities[~members] == 0).all()
    assert fit.metrics["outlier_share"] == pytest.approx(3 / 65)
    assert fit.metrics["silhouette"] > 0.9


def test_exemplars_are_ranked_members_and_make_the_vector() -> None:
    vectors, reduced, _ = planted([12, 30], noise=0)
    fit = fit_concepts(vectors, reduced, min_concept_size=6, n_exemplars=4)
    for concept in range(2):
        rows = np.flatnonzero((fit.labels == concept) & (fit.exemplar_ranks > 0))
        assert sorted(fit.exemplar_ranks[rows]) == [1, 2, 3, 4]
        mean = vectors[rows].astype(np.float64).mean(axis=0)
        assert np.allclose(fit.vectors[concept], mean / np.linalg.norm(mean), atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_images_are_all_outliers(n: int) -> None:
    vectors = np.eye(8, dtype=np.float32)[:n]
    fit = fit_concepts(vectors, np.zeros((n, 5), np.float32))
    assert fit.labels.tolist() == [-1] * n
    assert fit.vectors.shape == (0, 8)
    assert set(fit.metrics) <= {"outlier_share"}


def test_a_concept_of_the_same_images_keeps_its_exemplars_and_vector() -> None:
    vectors, reduced, truth = planted([12, 30, 20], noise=3)
    afresh = fit_concepts(vectors, reduced, min_concept_size=6, n_exemplars=2)
    others = np.flatnonzero((truth == 0) & (afresh.exemplar_ranks == 0))[[5, 1]]
    ranks = np.zeros(65, int)
    ranks[others] = [1, 2]
    standing = StandingExemplars(np.where(truth == 0, 40, -1), ranks)
    fit = fit_concepts(vectors, reduced, min_concept_size=6, n_exemplars=2, standing=standing)
    assert np.flatnonzero(fit.exemplar_ranks == 1)[fit.labels[fit.exemplar_ranks == 1] == 2] == others[0]
    mean = vectors[others].mean(axis=0)
    assert np.allclose(fit.vectors[2], mean / np.linalg.norm(mean), atol=1e-6)
    assert np.array_equal(fit.vectors[:2], afresh.vectors[:2])
