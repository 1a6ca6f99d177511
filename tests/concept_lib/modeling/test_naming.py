"""Names of planted concepts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.modeling.naming import (
    SHOWN_SHARE,
    UNNAMED,
    Hedging,
    hedged_labels,
    name_concepts,
    shown_label,
)

WORDS = ("cat", "dog", "boat", "tree")


def named(**options):
    """Two concepts that lie on the first two words; four images; one stray."""
    word_vectors = np.eye(4, 6, dtype=np.float32)
    concepts = np.array([[0.96, 0, 0, 0, 0.28, 0], [0, 0.6, 0, 0, 0.8, 0]], np.float32)
    images = np.concatenate([np.repeat(concepts, 2, axis=0), np.eye(6, dtype=np.float32)[5:]])
    labels = np.array([0, 0, 1, 1, -1], np.int32)
    settings = {"midpoint": 0.8, "scale": 0.05, **options}
    return name_concepts(concepts, images, labels, WORDS, word_vectors, **settings)


def test_the_nearest_word_names_and_the_unsure_stay_unnamed() -> None:
    naming = named()
    assert naming.labels == ["cat", UNNAMED]
    assert naming.named.tolist() == [True, False]
    assert np.allclose(naming.confidence, 1 / (1 + np.exp(-(np.array([0.96, 0.6]) - 0.8) / 0.05)), atol=1e-6)
    assert naming.words["cosine"][:, 0].tolist() == [0, 1]
    assert np.allclose(naming.scores["cosine"][:, 0], [0.96, 0.6])
    assert naming.metrics["label_confidence"] == pytest.approx(naming.confidence.mean())


def test_the_threshold_and_the_method_are_the_users() -> None:
    assert named(min_confidence=0.0).labels == ["cat", "dog"]
    assert named(min_confidence=1.0).labels == [UNNAMED, UNNAMED]
    by_class = named(method="ctfidf", min_confidence=0.0)
    # four words are in the document of every image, so that none is any class's own
    assert by_class.labels == ["cat, dog, boat"] * 2


def hedged(images_of_concepts: list[list[int]], **options) -> list[str]:
    """Labels of concepts whose images each lie on one of four words and a general one."""
    word_vectors = np.eye(5, dtype=np.float32)
    images = np.concatenate([word_vectors[rows] for rows in images_of_concepts])
    labels = np.repeat(np.arange(len(images_of_concepts)), [len(rows) for rows in images_of_concepts])
    concepts = np.stack([word_vectors[rows].mean(axis=0) for rows in images_of_concepts])
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    hedging = Hedging(
        sharpness=50, share=0.6, covers={"animal": ["cat", "dog", "rat"], "pet": ["cat", "dog"]}
    )
    words = ["cat", "dog", "rat", "animal", "pet"]
    settings = {"midpoint": 0.2, "scale": 0.05, "hedging": hedging, **options}
    return name_concepts(concepts, images, labels.astype(np.int32), words, word_vectors, **settings).labels


def test_scattered_evidence_gives_the_most_specific_general_noun_that_holds_it() -> None:
    assert hedged([[0, 0, 0, 1], [0, 0, 1, 1], [0, 1, 2, 2], [4, 4, 4, 0]]) == ["cat", "pet", "animal", "pet"]
    assert hedged([[0, 0, 1, 1]], midpoint=0.9) == [UNNAMED]
    assert hedged([[0, 0, 1, 1]], method="ctfidf", n_shown=1) == ["cat"]


def test_evidence_that_nothing_holds_leaves_a_concept_unnamed() -> None:
    hedging = Hedging(sharpness=50, share=0.6, covers={"pet": ["cat", "parrot"]})
    evidence = np.array([[0.45, 0.45, 0.1], [0.5, 0.1, 0.4]])
    assert hedged_labels(evidence, ["cat", "boat", "pet"], hedging) == [UNNAMED, "pet"]


def test_no_concepts_have_no_names() -> None:
    nothing = np.zeros((0, 4), np.float32)
    naming = name_concepts(
        nothing, nothing, np.zeros(0, np.int32), WORDS, np.eye(4, dtype=np.float32), midpoint=0.5, scale=0.1
    )
    assert naming.labels == []
    assert naming.metrics == {}


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.integers(1, 5))
def test_a_label_shows_the_best_word_and_only_words_near_it(scores: list[float], n_shown: int) -> None:
    ordered = np.array(sorted(scores, reverse=True))
    words = [f"w{i}" for i in range(len(ordered))]
    shown = shown_label(words, ordered, n_shown).split(", ")
    assert shown == words[: len(shown)]
    assert 1 <= len(shown) <= n_shown
    assert all(ordered[i] >= SHOWN_SHARE * ordered[0] for i in range(len(shown)))
    assert len(shown) == n_shown or len(shown) == len(words) or ordered[len(shown)] < SHOWN_SHARE * ordered[0]
