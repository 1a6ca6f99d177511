"""One fit: from reduced vectors to concepts with members, exemplars and vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from concept_lib.modeling.cluster import auto_concept_size, cluster
from concept_lib.modeling.exemplars import (
    StandingExemplars,
    choose_exemplars,
    concept_vectors,
    kept_exemplars,
)
from concept_lib.modeling.quality import outlier_share, silhouette


@dataclass(frozen=True, slots=True)
class ConceptFit:
    """Concepts of one fit, largest first.

    Parameters
    ----------
    labels
        int32 (n,): position of each image's concept in the fit, -1 for outliers.
    probabilities
        float32 (n,): strength of membership, 0 for outliers.
    similarities
        float32 (n,): cosine to the concept's vector, NaN for outliers.
    exemplar_ranks
        int32 (n,): 1, 2, … for exemplars, 0 for other images.
    vectors
        float32 (k, d): unit vector of each concept, the normalised mean of its exemplars.
    min_concept_size
        Images: the least size that this fit allowed.
    metrics
        ``outlier_share``, ``silhouette`` in the reduced space and ``relative_validity``, where defined.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    similarities: np.ndarray
    exemplar_ranks: np.ndarray
    vectors: np.ndarray
    min_concept_size: int
    metrics: dict[str, float]


def fit_concepts(
    vectors: np.ndarray,
    reduced: np.ndarray,
    *,
    min_concept_size: Literal["auto"] | int = "auto",
    min_samples: int | None = None,
    n_exemplars: int = 8,
    diversity: float = 0.3,
    standing: StandingExemplars | None = None,
) -> ConceptFit:
    """Group images into concepts.

    Parameters
    ----------
    vectors
        float32 (n, d), unit rows.
    reduced
        float32 (n, c): the space in which HDBSCAN works.
    min_concept_size
        Images; ``"auto"`` takes one eightieth of all, between 5 and 30.
    min_samples
        HDBSCAN's; by default the same as `min_concept_size`.
    n_exemplars
        At most so many images stand for a concept.
    diversity
        0 takes the closest images, 1 the most different ones (MMR).
    standing
        Exemplars of the standing concepts, chosen under the same settings: a concept whose images are the same keeps
        them.
    """
    size = auto_concept_size(len(vectors)) if min_concept_size == "auto" else min_concept_size
    found = cluster(reduced, min_concept_size=size, min_samples=min_samples)
    exemplars = choose_exemplars(
        vectors, found.labels, found.probabilities, n_exemplars=n_exemplars, diversity=diversity
    )
    if standing is not None:
        for number, rows in kept_exemplars(found.labels, standing).items():
            exemplars[number] = rows
    centres = concept_vectors(vectors, exemplars)
    similarities = np.full(len(vectors), np.nan, np.float32)
    members = found.labels >= 0
    similarities[members] = np.einsum("nd,nd->n", vectors[members], centres[found.labels[members]])
    ranks = np.zeros(len(vectors), np.int32)
    for rows in exemplars:
        ranks[rows] = np.arange(1, len(rows) + 1)
    metrics = {
        "outlier_share": outlier_share(found.labels),
        "silhouette": silhouette(reduced, found.labels),
        "relative_validity": found.relative_validity,
    }
    defined = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
    return ConceptFit(found.labels, found.probabilities, similarities, ranks, centres, size, defined)
