"""Words of concepts against naive references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_lib.modeling.labels import ctfidf_words, label_confidence, nearest_words, word_evidence


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def naive_ctfidf(images: np.ndarray, labels: np.ndarray, words: np.ndarray, per_image: int) -> np.ndarray:
    """Dense scores (clusters, words), counted one image at a time."""
    counts = np.zeros((labels.max() + 1, len(words)))
    for image, label in zip(images, labels, strict=True):
        if label >= 0:
            counts[label, np.argsort(-(words @ image), kind="stable")[:per_image]] += 1
    average = counts.sum() / len(counts)
    with np.errstate(divide="ignore"):
        rarity = np.log(1 + average / counts.sum(axis=0))
    return counts / counts.sum(axis=1, keepdims=True) * np.where(np.isfinite(rarity), rarity, 0)


@settings(max_examples=30, deadline=None)
@given(
    n_words=st.integers(1, 40), per_image=st.integers(1, 6), top=st.integers(1, 8), seed=st.integers(0, 999)
)
def test_ctfidf_equals_the_dense_reference(n_words: int, per_image: int, top: int, seed: int) -> None:
    images, words = unit_rows(24, 6, seed), unit_rows(n_words, 6, seed + 1)
    labels = np.concatenate([np.arange(3), np.random.default_rng(seed).integers(-1, 3, size=21)])
    indices, scores = ctfidf_words(images, labels, words, 3, top, words_per_image=per_image)
    expected = naive_ctfidf(images, labels, words, per_image)
    assert indices.shape == scores.shape == (3, min(top, per_image, n_words))
    best = -np.sort(-expected, axis=1)[:, : indices.shape[1]]
    np.testing.assert_allclose(scores, best, rtol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(expected, indices, axis=1), best, rtol=1e-5)
    assert (scores > 0).all()


def test_ctfidf_prefers_words_of_one_cluster_and_ignores_noise() -> None:
    words = np.eye(4, dtype=np.float32)  # shared, first only, second only, noise only
    images = np.array([[1, 0.9, 0, 0], [1, 0, 0.9, 0], [0, 0, 0, 1]], dtype=np.float32)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    indices, _ = ctfidf_words(images, np.array([0, 1, -1]), words, 2, top=2, words_per_image=2)
    assert indices.tolist() == [[1, 0], [2, 0]]


def test_evidence_is_the_mean_of_the_softmaxes_of_the_images() -> None:
    images, words = unit_rows(20, 6, 1), unit_rows(9, 6, 2)
    labels = np.array([0, 1, 2, -1] * 5)
    logits = 12.0 * images.astype(np.float64) @ words.T
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = [chances[labels == cluster].mean(axis=0) for cluster in range(3)]
    np.testing.assert_allclose(word_evidence(images, labels, words, 3, sharpness=12.0), expected, rtol=1e-4)


def test_evidence_of_nothing_is_nothing() -> None:
    images, words = unit_rows(2, 6, 1), unit_rows(9, 6, 2)
    assert not word_evidence(images, np.array([-1, 1]), words, 3, sharpness=12.0)[[0, 2]].any()
    assert not word_evidence(images, np.array([-1, -1]), words, 2, sharpness=12.0).any()
    assert word_evidence(images[:0], np.zeros(0, int), words, 0, sharpness=12.0).shape == (0, 9)


def test_equal_words_keep_their_order() -> None:
    words = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    images = np.eye(2, dtype=np.float32)
    assert nearest_words(images, words, 4)[0].tolist() == [[0, 1, 2, 3], [3, 4, 5, 0]]
    indices, _ = ctfidf_words(images, np.array([0, 1]), words, 2, top=3, words_per_image=3)
    assert indices.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_nearest_words_equal_a_full_sort() -> None:
    concepts, words = unit_rows(13, 16, 0), unit_rows(500, 16, 1)
    indices, scores = nearest_words(concepts, words, 10)
    cosines = concepts.astype(np.float64) @ words.T
    np.testing.assert_array_equal(indices, np.argsort(-cosines, axis=1)[:, :10])
    np.testing.assert_allclose(scores, np.take_along_axis(cosines, indices, axis=1), atol=1e-6)
    assert (indices.dtype, scores.dtype) == (np.int32, np.float32)


def test_blocks_do_not_change_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    images, words, labels = unit_rows(50, 8, 2), unit_rows(90, 8, 3), np.arange(50) % 4

    def found() -> tuple[np.ndarray, ...]:
        evidence = word_evidence(images, labels, words, 4, sharpness=12.0)
        return (*nearest_words(images, words, 5), *ctfidf_words(images, labels, words, 4, 5), evidence)

    whole = found()
    monkeypatch.setattr("concept_lib.modeling.neighbours.MAX_SCORES", 7 * 90)
    blocked = found()
    for one, other in zip(whole, blocked, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_without_words_or_concepts_there_are_none() -> None:
    none = np.zeros((0, 4), np.float32)
    images = unit_rows(3, 4, 0)
    assert nearest_words(images, none, 5)[0].shape == (3, 0)
    assert nearest_words(none, images, 5)[0].shape == (0, 3)
    assert ctfidf_words(images, np.zeros(3, int), none, 1, 5)[0].shape == (1, 0)
    assert ctfidf_words(images, np.full(3, -1), images, 0, 5)[0].shape == (0, 3)
    assert ctfidf_words(none, np.zeros(0, int), none, 0, 5)[1].shape == (0, 0)


def test_ctfidf_refuses_labels_that_do_not_fit() -> None:
    images = unit_rows(3, 4, 0)
    with pytest.raises(ValueError, match="lengths differ"):
        ctfidf_words(images, np.zeros(2, int), images, 1, 5)
    for labels, n_clusters in (([0, 0, 2], 3), ([0, 1, 2], 2), ([0, 0, 0], 2)):
        with pytest.raises(ValueError, match="with members each"):
            ctfidf_words(images, np.array(labels), images, n_clusters, 5)


@given(
    cosines=st.lists(st.floats(-1, 1), min_size=2, max_size=20),
    midpoint=st.floats(0, 1),
    scale=st.floats(1e-3, 1),
)
def test_confidence_grows_within_bounds(cosines: list[float], midpoint: float, scale: float) -> None:
    confidence = label_confidence(np.sort(cosines), midpoint, scale)
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert (np.diff(confidence) >= 0).all()


def test_confidence_is_the_logistic_function() -> None:
    cosines = np.array([0.1, 0.25, 0.31])
    expected = 1 / (1 + np.exp(-(cosines - 0.25) / 0.03))
    np.testing.assert_allclose(label_confidence(cosines, 0.25, 0.03), expected)
    assert float(label_confidence(-1e9, 0.0, 1e-9)) == 0
    with pytest.raises(ValueError, match="scale"):
        label_confidence(cosines, 0.25, 0.0)
