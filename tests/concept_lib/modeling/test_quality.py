"""Figures of quality against naive references, and NaN where they mean nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from concept_lib.modeling import quality
from concept_lib.modeling.quality import coherence, diversity, outlier_share, silhouette, stability


def naive_silhouette(points: np.ndarray, labels: np.ndarray) -> float:
    values = []
    for i, label in enumerate(labels):
        distances = np.linalg.norm(points - points[i], axis=1)
        own = labels == label
        if own.sum() == 1:
            values.append(0.0)
            continue
        inside = distances[own].sum() / (own.sum() - 1)
        outside = min(distances[labels == other].mean() for other in set(labels.tolist()) - {label})
        values.append((outside - inside) / max(inside, outside))
    return float(np.mean(values))


def test_silhouette_leaves_noise_out() -> None:
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(60, 5)), rng.integers(-1, 3, size=60)
    points += 2 * labels[:, None]
    inside = labels >= 0
    expected = naive_silhouette(points[inside], labels[inside])
    assert silhouette(points.astype(np.float32), labels) == pytest.approx(expected, abs=1e-5)


def test_silhouette_of_a_large_collection_is_a_seeded_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    labels = np.arange(800) % 4
    points = labels[:, None] + 0.3 * rng.normal(size=(800, 3))
    whole = silhouette(points, labels)
    monkeypatch.setattr(quality, "MAX_SILHOUETTE_ROWS", 300)
    sample = silhouette(points, labels, seed=5)
    assert sample == silhouette(points, labels, seed=5)
    assert sample != whole
    assert sample == pytest.approx(whole, abs=0.05)


@pytest.mark.parametrize("labels", [[], [-1, -1, -1], [0, 0, -1], [0, 1, -1]])
def test_silhouette_undefined(labels: list[int]) -> None:
    assert np.isnan(silhouette(np.zeros((len(labels), 2)), np.array(labels, int)))


def test_outlier_share() -> None:
    assert outlier_share(np.array([-1, -1, 0, 1])) == 0.5
    assert np.isnan(outlier_share(np.zeros(0, int)))


def test_coherence_is_the_mean_over_concepts_of_pairwise_cosines() -> None:
    words = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32)
    first = (0.6 + 0 + 0) / 3
    assert coherence([[0, 1, 2], [0, 1], [2]], words) == pytest.approx((first + 0.6) / 2)
    assert coherence(np.array([[0, 1], [0, 2]]), words) == pytest.approx(0.3)
    assert np.isnan(coherence([[0], []], words))


def test_diversity_is_the_share_of_distinct_words() -> None:
    assert diversity(np.array([[0, 1, 2], [0, 1, 3]])) == pytest.approx(4 / 6)
    assert diversity([[0], [1, 2]]) == 1
    assert np.isnan(diversity([]))
    assert np.isnan(diversity([[], []]))


def naive_ari(before: list[int], after: list[int]) -> float:
    """Adjusted Rand index by its definition over pairs of images."""
    pairs = list(itertools.combinations(range(len(before)), 2))
    same_before = [before[i] == before[j] for i, j in pairs]
    same_after = [after[i] == after[j] for i, j in pairs]
    both = sum(a and b for a, b in zip(same_before, same_after, strict=True))
    expected = sum(same_before) * sum(same_after) / len(pairs)
    return (both - expected) / ((sum(same_before) + sum(same_after)) / 2 - expected)


def test_stability_counts_images() -> None:
    before = [4, 4, 4, 4, 4, 6, 6, 6, -1, -1, 6]
    after = [4, 4, 4, 9, -1, 8, 8, 8, -1, 4, 6]
    found = stability(np.array(before), np.array(after))
    assert found["ids_kept"] == pytest.approx(4 / 8)
    assert found["ids_kept_bound"] == pytest.approx((3 + 3) / 8)
    assert found["ari"] == pytest.approx(naive_ari(before, after))
    assert found["moved"] == 6


def test_the_bound_takes_no_pair_of_low_overlap() -> None:
    before, after = np.array([1] * 4 + [2] * 6), np.array([5] * 10)
    assert stability(before, after)["ids_kept_bound"] == 0.6
    assert stability(before, after, min_jaccard=0.7)["ids_kept_bound"] == 0


def test_stability_without_survivors_is_undefined() -> None:
    nothing = np.zeros(0, int)
    found = stability(nothing, nothing)
    assert found.pop("moved") == 0
    assert np.isnan(list(found.values())).all()
    outliers = stability(np.array([-1, -1]), np.array([-1, -1]))
    assert np.isnan(outliers["ids_kept"])
    assert outliers["ari"] == 1
