"""The score, and the order that it gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import silhouette_samples

from concept_lib.experiment.ranking import ranked, ranking_rows, ranking_texts
from concept_lib.experiment.trial import Trial, score
from concept_lib.settings import Settings


def trial(point: dict[str, str], **metrics: float) -> Trial:
    nothing = pa.table({"image_id": []})
    return Trial(point, Settings(), nothing, nothing, np.zeros((0, 2), np.float32), metrics)


def test_the_score_is_the_mean_silhouette_with_outliers_counting_nothing() -> None:
    rng = np.random.default_rng(5)
    vectors = rng.normal(0, 1, (60, 8)) + np.repeat(4 * np.eye(3, 8), 20, axis=0)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    labels = np.repeat([0, 1, 2], 20)
    labels[::7] = -1
    held = labels >= 0
    expected = silhouette_samples(vectors[held], labels[held]).sum() / 60
    assert score(vectors, labels) == pytest.approx(expected, abs=1e-6)
    assert np.isnan(score(vectors, np.full(60, -1)))


def test_best_first_ties_by_coherence_and_without_a_score_last() -> None:
    trials = [
        trial({"labels.n_words": "1"}),
        trial({"labels.n_words": "2"}, score=0.2, concepts=4.0),
        trial({"labels.n_words": "3"}, score=0.5, label_coherence=0.1),
        trial({"labels.n_words": "4"}, score=0.5, label_coherence=0.3),
        trial({"labels.n_words": "5"}, score=-0.1),
    ]
    assert [found.point["labels.n_words"] for found in ranked(trials)] == ["4", "3", "2", "5", "1"]
    rows = ranking_rows(trials)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[2] | {"score": 0.2, "concepts": 4, "n_words": "2"} == rows[2]
    assert rows[-1]["score"] is None
    headings, cells = ranking_texts(rows)
    assert headings[:4] == ["rank", "n_words", "score", "concepts"]
    assert cells[2][:4] == ["3", "2", "0.200", "4"]
    assert cells[4][2:] == [""] * len(cells[4][2:])
