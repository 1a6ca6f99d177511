"""A fit against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from concept_lib.modeling.fit import fit_concepts


def planted(sizes: list[int], noise: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A reduced space in which groups lie far apart, and the true group of each row."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    reduced = 20.0 * np.eye(8)[truth, :5] + 7.0 * truth[:, None] + rng.normal(0, 0.1, (len(truth), 5))
    far = rng.uniform(-400, -100, (noise, 5))
    truth = np.concatenate([truth, np.full(noise, -1)])
    return np.concatenate([reduced, far]).astype(np.float32), truth


def test_planted_groups_come_out_largest_first_where_nothing_was_before() -> None:
    reduced, truth = planted([12, 30, 20], noise=3)
    fit = fit_concepts(reduced, np.full(65, -2), 0, min_concept_size=6)
    order = np.array([2, 0, 1, -1])  # size order of the planted groups; the last serves the strays
    assert np.array_equal(fit.ids, order[truth])
    assert (fit.probabilities[truth < 0] == 0).all()
    assert fit.clusters == {0: 0, 1: 1, 2: 2}
    assert fit.relative_validity > 0.5


def test_groups_carry_on_the_concepts_that_they_share_images_with() -> None:
    reduced, truth = planted([12, 30, 20], noise=3)
    before = np.array([7, 3, -1, -1])[truth]
    before[:2] = -2  # two images of concept 7 are new
    fit = fit_concepts(reduced, before, 11, min_concept_size=6)
    assert np.array_equal(fit.ids, np.array([7, 3, 11, -1])[truth])
    assert fit.clusters == {3: 0, 11: 1, 7: 2}


@pytest.mark.parametrize("n", [0, 1, 5])
def test_too_few_images_are_all_outliers(n: int) -> None:
    fit = fit_concepts(np.zeros((n, 5), np.float32), np.full(n, -2), 4)
    assert fit.ids.tolist() == [-1] * n
    assert fit.clusters == {}
    assert fit.min_concept_size == 5
    assert np.isnan(fit.relative_validity)
