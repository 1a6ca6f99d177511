"""Exemplars against a naive MMR, thinning of copies, concept vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_lib.modeling.exemplars import (
    TWIN_SIMILARITY,
    choose_exemplars,
    concept_vectors,
    members_by_cluster,
    refill_exemplars,
)


def unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def naive_mmr(vectors: np.ndarray, n: int, diversity: float) -> list[int]:
    """Carbonell and Goldstein's formula, one candidate at a time; twins of chosen ones only when all are."""
    centre = vectors.astype(np.float64).mean(axis=0)
    centre /= np.linalg.norm(centre)
    chosen = [max(range(len(vectors)), key=lambda i: float(vectors[i] @ centre))]
    while len(chosen) < min(n, len(vectors)):
        scores = {}
        for i in set(range(len(vectors))) - set(chosen):
            nearest = max(float(vectors[i] @ vectors[j]) for j in chosen)
            score = (1 - diversity) * float(vectors[i] @ centre) - diversity * nearest
            scores[i] = (nearest < TWIN_SIMILARITY, score)
        chosen.append(max(scores, key=lambda i: scores[i]))
    return chosen


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 20), diversity=st.floats(0, 1), seed=st.integers(0, 999))
def test_picks_what_naive_mmr_picks(n: int, diversity: float, seed: int) -> None:
    vectors = unit_rows(n, 6, seed)
    [found] = choose_exemplars(vectors, np.zeros(n, np.int32), np.ones(n), n_exemplars=5, diversity=diversity)
    assert found.tolist() == naive_mmr(vectors, 5, diversity)


def test_without_diversity_the_closest_come_in_order() -> None:
    vectors = unit_rows(25, 6, 1)
    [found] = choose_exemplars(vectors, np.zeros(25, int), np.ones(25), n_exemplars=6, diversity=0.0)
    closeness = vectors @ vectors.mean(axis=0)
    assert found.tolist() == np.argsort(-closeness)[:6].tolist()


@pytest.mark.parametrize("diversity", [0.0, 0.3])
def test_copies_of_one_picture_do_not_fill_a_collage(diversity: float) -> None:
    rng = np.random.default_rng(5)
    photo, *others = unit_rows(1, 64, 5) + 0.08 * rng.normal(size=(13, 64))
    vectors = np.vstack([np.repeat(photo[None], 30, axis=0), others])
    vectors[:30] += 0.001 * rng.normal(size=(30, 64))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    [found] = choose_exemplars(vectors, np.zeros(42, int), np.ones(42), n_exemplars=8, diversity=diversity)
    assert np.count_nonzero(found < 30) == 1
    [everything] = choose_exemplars(vectors, np.zeros(42, int), np.ones(42), n_exemplars=64)
    assert sorted(everything) == list(range(42))


def test_stragglers_are_no_candidates() -> None:
    vectors = unit_rows(80, 8, 2)
    probabilities = np.where(np.arange(80) % 2, 1.0, 0.4)
    [found] = choose_exemplars(vectors, np.zeros(80, int), probabilities, n_exemplars=8, diversity=1.0)
    assert (found % 2 == 1).all()


def test_each_cluster_shows_only_its_own_members_once() -> None:
    vectors = unit_rows(60, 8, 3)
    labels = np.random.default_rng(3).integers(-1, 4, size=60)
    exemplars = choose_exemplars(vectors, labels, np.ones(60), n_exemplars=5)
    assert len(exemplars) == 4
    for number, rows in enumerate(exemplars):
        assert rows.dtype == np.int32
        assert len(set(rows.tolist())) == 5
        assert (labels[rows] == number).all()


@pytest.mark.parametrize("labels", [[], [-1, -1]])
def test_without_clusters_there_are_no_exemplars(labels: list[int]) -> None:
    vectors = np.zeros((len(labels), 4), np.float32)
    exemplars = choose_exemplars(vectors, np.array(labels, int), np.zeros(len(labels)))
    assert exemplars == []
    assert concept_vectors(vectors, exemplars).shape == (0, 4)


def test_concept_vector_is_the_normalised_mean() -> None:
    vectors = unit_rows(9, 5, 4)
    rows = [np.array([0, 3, 4]), np.array([8])]
    found = concept_vectors(vectors, rows)
    mean = vectors[rows[0]].astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(found, [mean / np.linalg.norm(mean), vectors[8]], atol=1e-6)
    assert found.dtype == np.float32


def test_refuses_bad_input() -> None:
    vectors = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="lengths differ"):
        choose_exemplars(vectors, np.zeros(2, int), np.ones(3))
    with pytest.raises(ValueError, match=r"within 0\.\.1"):
        choose_exemplars(vectors, np.zeros(3, int), np.ones(3), diversity=1.5)
    with pytest.raises(ValueError, match="cluster 1 has no members"):
        members_by_cluster(np.array([0, 2, -1]))


@pytest.mark.parametrize("n_kept", [0, 1, 3, 4])
def test_exemplars_that_are_left_come_first_and_the_rest_suits_them(n_kept: int) -> None:
    vectors = np.random.default_rng(3).normal(size=(40, 6)) + 3 * np.eye(6)[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    members, kept = np.arange(5, 40, dtype=np.int32), np.array([39, 7, 20, 11], np.int32)[:n_kept]
    found = refill_exemplars(vectors, members, np.ones(35), kept, n_exemplars=4)
    assert found[:n_kept].tolist() == kept.tolist()
    assert len(set(found.tolist())) == 4
    assert set(found.tolist()) <= set(members.tolist())
    if not n_kept:
        [afresh] = choose_exemplars(vectors, np.where(np.arange(40) < 5, -1, 0), np.ones(40), n_exemplars=4)
        assert found.tolist() == afresh.tolist()


def test_the_next_exemplar_is_the_best_by_marginal_relevance() -> None:
    vectors = np.random.default_rng(5).normal(size=(12, 4)) + 2 * np.eye(4)[0]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    kept = np.array([8, 2], np.int32)
    found = refill_exemplars(
        vectors, np.arange(12, dtype=np.int32), np.ones(12), kept, n_exemplars=3, diversity=0.6
    )
    centre = vectors.mean(axis=0)
    centre /= np.linalg.norm(centre)
    scores = [
        -np.inf if row in kept else 0.4 * vectors[row] @ centre - 0.6 * max(vectors[kept] @ vectors[row])
        for row in range(12)
    ]
    assert found.tolist() == [8, 2, int(np.argmax(scores))]


def test_a_full_set_of_exemplars_stays_as_it_is() -> None:
    vectors = np.eye(4, dtype=np.float32)
    rows = np.arange(4, dtype=np.int32)
    kept = np.array([3, 1], np.int32)
    assert refill_exemplars(vectors, rows, np.ones(4), kept, n_exemplars=2).tolist() == [3, 1]
    assert refill_exemplars(vectors, rows[[1, 3]], np.ones(2), kept, n_exemplars=8).tolist() == [3, 1]
