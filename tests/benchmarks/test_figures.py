"""Figures of merit against truth that is known by construction, or counted in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_mutual_info_score

from benchmarks import figures
from benchmarks.figures import (
    SYNONYMS,
    judge_concept,
    names_kind,
    naming_figures,
    nearest_neighbour_accuracy,
    ranks,
    rightly_named_kinds,
    shown_word,
    unit,
)
from concept_lib.modeling.cluster import cluster
from concept_lib.modeling.neighbours import exact_neighbors
from concept_lib.settings import Reduction


def at(*degrees: float) -> np.ndarray:
    """Unit vectors of the plane."""
    return np.array([(math.cos(math.radians(d)), math.sin(math.radians(d))) for d in degrees], np.float32)


def test_ranks_count_the_words_that_are_at_least_as_near() -> None:
    words = at(0, 20, 40, 60)
    assert ranks(at(0, 0, 58), words, np.array([0, 2, 1])).tolist() == [0, 2, 2]


def test_a_tie_counts_against_the_true_word() -> None:
    words = np.eye(3, dtype=np.float32)[[0, 0, 1]]  # two words share a vector
    assert ranks(np.eye(3, dtype=np.float32)[[0, 0]], words, np.array([0, 1])).tolist() == [1, 1]
    blank = np.zeros((2, 3), np.float32)  # tells nothing apart
    assert ranks(blank, words, np.array([0, 2])).tolist() == [2, 2]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999))
def test_ranks_are_places_in_a_sorted_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, words = unit(rng.normal(size=(6, 4))), unit(rng.normal(size=(9, 4)))
    truth = rng.integers(9, size=6)
    for vector, own, rank in zip(vectors, truth, ranks(vectors, words, truth), strict=True):
        order = sorted(range(9), key=lambda word: -math.fsum(words[word] * vector))
        assert order.index(own) == rank


def test_zero_shot_among_the_kinds_and_among_all_nouns() -> None:
    nouns = ["bolt", "apple", "pear", "nut", "plum"]
    noun_vectors = at(10, 0, 30, 31, 90)
    kinds = ["apple", "apple", "pear", "plum"]
    found = naming_figures(at(1, 12, 29, 90), kinds, nouns, noun_vectors)
    assert found["kinds_top1"] == 1.0
    assert found["nouns_top1"] == 0.75  # the second apple is nearer to "bolt"
    assert found["kinds_top5"] == found["nouns_top5"] == 1.0
    assert found["centroids"] == pytest.approx(2 / 3)  # the apples' mean lies at 6.5 degrees, near "bolt"


def test_nearest_neighbour_leaves_the_image_itself_out() -> None:
    # Each image's nearest other one is known: 0-1 and 2-3 go together, 4 goes to 3.
    vectors = at(0, 5, 50, 53, 60)
    assert nearest_neighbour_accuracy(vectors, ["a", "a", "b", "b", "b"]) == 1.0
    assert nearest_neighbour_accuracy(vectors, ["a", "b", "c", "c", "a"]) == pytest.approx(2 / 5)


def test_equally_near_neighbours_share_the_vote() -> None:
    same = np.ones((4, 1), np.float32)
    assert nearest_neighbour_accuracy(same, ["a", "a", "a", "b"]) == pytest.approx((3 * 2 / 3 + 0) / 4)


def test_grouping_is_by_the_products_defaults_and_counts_outliers_as_a_group(monkeypatch) -> None:
    asked = {}

    def first_columns(vectors: np.ndarray, **parameters: object) -> np.ndarray:
        asked.update(parameters)
        return vectors[:, :5]

    monkeypatch.setattr(figures, "reduce", first_columns)  # UMAP itself takes ten seconds to compile
    rng = np.random.default_rng(0)
    kinds = np.repeat(["a", "b", "c"], 40)
    centres = np.repeat(np.eye(3, 16), 40, axis=0)
    centres[[0, 40, 80]] = np.eye(3, 16) * -1  # three strays
    vectors = unit(centres + 0.05 * rng.normal(size=(120, 16)))
    found = figures.grouping_figures(vectors, kinds.tolist())
    assert found["kmeans"] > 0.8
    assert found["neighbour"] == nearest_neighbour_accuracy(vectors, kinds.tolist())
    assert found["hdbscan_clusters"] == 3
    assert 0.02 < found["hdbscan_outliers"] < 0.3
    labels = cluster(vectors[:, :5], min_concept_size=15).labels
    assert found["hdbscan_outliers"] == np.mean(labels == -1)
    assert found["hdbscan"] == adjusted_mutual_info_score(kinds, labels) < 1
    aside = {"map_min_dist", "fit_sample", "refit", "refit_after", "refit_outliers"}
    defaults = Reduction().model_dump(exclude=aside)
    neighbors = asked.pop("neighbors")
    assert asked == defaults
    np.testing.assert_array_equal(neighbors[0], exact_neighbors(vectors, defaults["n_neighbors"])[0])


def test_synonyms_are_symmetric_and_those_of_the_issue() -> None:
    alike = {
        "orange": "satsumas",
        "peach": "nectarine",
        "oat milk": "oatghurt",
        "t-shirt": "polo",
        "polo": "undershirt",
        "undershirt": "t-shirt",
        "sweater": "shirt",
        "jacket": "blazer",
    }
    for one, other in alike.items():
        assert names_kind(one, other)
        assert names_kind(other, one)
    assert sum(len(group) * (len(group) - 1) // 2 for group in SYNONYMS) == len(alike)
    assert names_kind("garlic", "garlic")
    assert not names_kind("shirt", "t-shirt")
    assert not names_kind("milk", "oat milk")


def test_a_concept_is_judged_by_the_first_word_and_the_majority() -> None:
    kinds = ["peach", "peach", "nectarine", "apple"]
    judged = judge_concept("nectarine, apple", kinds, named=True)
    assert (judged.n_images, judged.kind, judged.purity, judged.right) == (4, "peach", 0.5, True)
    assert not judge_concept("apple, peach", kinds, named=True).right
    assert not judge_concept("unnamed", kinds, named=False).right
    assert not judge_concept("peach", kinds, named=False).right
    assert judge_concept("b", ["b", "a"], named=True).kind == "a"
    assert shown_word("bell pepper") == "bell pepper"


def test_a_kind_is_rightly_named_by_the_concept_that_holds_most_of_it() -> None:
    kinds = ["cup"] * 5 + ["fish"] * 3 + ["snow"] * 3 + ["house"] * 2
    concepts = [0, 0, 1, 1, 1, 2, -1, -1, 1, 1, 3, -1, -1]
    labels = {0: "clock", 1: "cup, mug", 2: "fish", 3: "snow"}
    # cup: 3 of 5 in "cup"; fish: its outliers are held by no concept; snow: mostly in "cup"; house: outliers alone
    assert rightly_named_kinds(kinds, concepts, labels) == ["cup", "fish"]
    assert rightly_named_kinds(kinds, concepts, {0: "clock", 2: "fish"}) == ["fish"]


def test_unit_leaves_zeros_alone() -> None:
    np.testing.assert_allclose(unit(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0.0, 0.0]])
