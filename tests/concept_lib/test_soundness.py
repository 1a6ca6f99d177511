"""Each rule counts just the rows that break it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from concept_lib.soundness import concept_problems, id_problems, label_problems, vector_problems

IDS = pa.chunked_array([["a", "b", "c", "d", "e"]])
MEMBERS = {
    "image_id": ["a", "b", "c", "d", "e"],
    "concept_id": [3, 3, 7, 7, -1],
    "probability": [1.0, 0.5, 1.0, 0.25, 0.0],
    "exemplar_rank": [1, None, None, 1, None],
}
CONCEPTS = {"concept_id": [3, 7], "n_images": [2, 2]}


def broken(problems: dict[str, int]) -> dict[str, int]:
    return {rule: count for rule, count in problems.items() if count}


@pytest.mark.parametrize(
    ("members", "concepts", "expected"),
    [
        ({}, {}, {}),
        ({"image_id": ["a", "b", "c", "e", "d"]}, {}, {"images without a row of their own": 1}),
        ({"probability": [1.0, 1.5, float("nan"), 0.0, 0.0]}, {}, {"probabilities outside 0 to 1": 2}),
        ({"exemplar_rank": [1, None, 2, 3, None]}, {}, {"concepts without a best exemplar": 1}),
        ({}, {"n_images": [2, 9]}, {"concepts that miscount their images": 1}),
        (
            {"concept_id": [3, 3, 8, 7, -1]},
            {"n_images": [2, 1]},
            {"members of no concept": 1, "concepts of fewer than two images": 1},
        ),
        ({"concept_id": [9] * 5}, {"concept_id": [], "n_images": []}, {"members of no concept": 5}),
        ({"concept_id": [-1] * 5}, {"concept_id": [], "n_images": []}, {}),
    ],
)
def test_concepts(members: dict, concepts: dict, expected: dict[str, int]) -> None:
    found = concept_problems(
        IDS,
        pa.table({**MEMBERS, **members}),
        pa.table({**CONCEPTS, **concepts}, schema=pa.schema([(n, pa.int32()) for n in CONCEPTS])),
    )
    assert broken(found) == expected


def test_vectors() -> None:
    good = np.eye(4, dtype=np.float32)
    assert broken(vector_problems(good, 4)) == {}
    assert broken(vector_problems(np.zeros((0, 0), np.float32), 0)) == {}
    bad = good.copy()
    bad[0, 1], bad[2] = np.inf, 0
    assert broken(vector_problems(bad, 5)) == {
        "vectors not finite": 1,
        "vectors not of length 1": 1,
        "vectors missing or too many": 1,
    }


def test_ids() -> None:
    files = pa.table({"image_id": ["a", "a", "b", "c", None], "status": ["usable"] * 3 + ["failed"] * 2})

    def problems(ids: list[str], failures: list[str]) -> dict[str, int]:
        return broken(
            id_problems(
                files, pa.chunked_array([ids], pa.string()), pa.chunked_array([failures], pa.string())
            )
        )

    assert problems(["a", "b"], []) == {}
    assert problems(["a"], ["b"]) == {}
    assert problems(["a"], []) == {"images without a vector or a reason": 1}
    assert problems(["a", "b", "c"], ["b"]) == {"vectors of no image": 1, "images told twice": 1}


def test_labels() -> None:
    labels = {"concept_id": [3, 7], "label": ["cat", "dog"]}
    words = {
        "concept_id": [3, 7, 3, 7],
        "method": ["cosine", "cosine", "ctfidf", "ctfidf"],
        "word": ["cat", "dog", "cat", "dog"],
    }
    vocabulary = pa.chunked_array([["cat", "dog"]])

    def problems(labels: dict, words: dict, vocabulary: pa.ChunkedArray = vocabulary) -> dict[str, int]:
        return broken(label_problems(pa.table(labels), pa.table(words), vocabulary, [3, 7]))

    assert problems(labels, words) == {}
    assert problems({"concept_id": [3, 8], "label": ["", "x"]}, words) == {
        "concepts without a label": 1,
        "labels of no concept": 1,
        "empty labels": 1,
    }
    assert problems(labels, {**words, "concept_id": [3, 7, 3, 3]}) == {"concepts without words": 1}
    assert problems(labels, {**words, "word": ["cat", "dog", "cat", "eel"]}) == {
        "words outside the vocabulary": 1
    }
    none = {name: pa.array([], pa.string()) for name in words}
    assert problems(labels, none, pa.chunked_array([[]], pa.string())) == {}
