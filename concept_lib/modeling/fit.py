"""One fit: reduced vectors grouped anew, and the groups given lasting ids."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.cluster import auto_concept_size, cluster
from concept_lib.modeling.curation import keep_pinned
from concept_lib.modeling.identity import match_concepts
from concept_lib.modeling.membership import Membership


class Fit(NamedTuple):
    """Groups of one fit by lasting ids.

    Attributes
    ----------
    ids
        Concept of each image, int32 (n,), -1 for outliers.
    probabilities
        Strength of membership, float32 (n,), 0 for outliers.
    clusters
        HDBSCAN's number of each concept.
    min_concept_size
        Images: the least size that this fit allowed.
    relative_validity
        As in `Clustering`.
    """

    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    clusters: dict[int, int]
    min_concept_size: int
    relative_validity: float


def fit_concepts(
    reduced: npt.NDArray[np.floating],
    before: npt.NDArray[np.integer],
    next_free_id: int,
    *,
    min_concept_size: Literal["auto"] | int = "auto",
    min_samples: int | None = None,
    min_jaccard: float = 0.3,
) -> Fit:
    """Group images by density, and let the groups carry on the concepts with which they share enough.

    Parameters
    ----------
    reduced
        Shape (n, c): the space in which HDBSCAN works.
    before
        Old concept of each image, shape (n,): -1 for an outlier, -2 for an image that was not there.
    next_free_id
        Lowest id that was never used.
    min_concept_size
        Images; ``"auto"`` takes one eightieth of all, between 5 and 30.
    min_samples
        HDBSCAN's; by default the same as `min_concept_size`.
    min_jaccard
        As in `match_concepts`.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [5.3]])
    >>> before = np.array([4, 4, 4, -1, -2, -2, -2])
    >>> fit_concepts(points, before, next_free_id=9, min_concept_size=3, min_samples=1).ids.tolist()
    [4, 4, 4, 9, 9, 9, 9]
    """
    size = auto_concept_size(len(reduced)) if min_concept_size == "auto" else min_concept_size
    found = cluster(reduced, min_concept_size=size, min_samples=min_samples)
    n_clusters = int(found.labels.max(initial=-1)) + 1
    survived = before >= -1
    ids = match_concepts(
        before[survived],
        found.labels[survived],
        n_clusters=n_clusters,
        next_free_id=next_free_id,
        min_jaccard=min_jaccard,
    )
    return Fit(
        np.append(ids, np.int32(-1))[found.labels],
        found.probabilities,
        {int(concept_id): number for number, concept_id in enumerate(ids)},
        size,
        found.relative_validity,
    )


def members_of(
    fit: Fit,
    before: npt.NDArray[np.integer],
    shares: npt.NDArray[np.float32] | None,
    pins: Collection[int],
) -> Membership:
    """Who belongs to which concept after a fit: its groups, and what the user pinned beside them.

    Parameters
    ----------
    fit
        Of all images.
    before
        As `fit_concepts` got it.
    shares
        Strength of membership before, which images of pinned concepts keep, (n,); None where there was none.
    pins
        Concepts that outlive every fit.

    Examples
    --------
    >>> ids = np.array([4, 4, -1], np.int32)
    >>> fit = Fit(ids, np.array([1, 0.5, 0], np.float32), {4: 0}, 2, 0.5)
    >>> members_of(fit, np.array([4, 4, -1]), None, pins=set()).concept_ids.tolist()
    [4, 4, -1]
    """
    ids = keep_pinned(before, fit.ids, pins)
    kept = np.where(ids == fit.ids, fit.probabilities, fit.probabilities if shares is None else shares)
    return Membership(ids, ids, kept, np.ones(len(ids), bool))
