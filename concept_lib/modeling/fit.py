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
from concept_lib.modeling.sampling import Sample, spread_clusters

LEAST_IN_SAMPLE = 8
"""Scaled down to a sample, no size is less: fewer images tell too little of density."""


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
    fitted
        Whether HDBSCAN saw the image, bool (n,): all, or those of the sample; the others were placed in its groups.
    min_concept_size
        Images: the least size that this fit allowed; under a sample, about.
    relative_validity
        As in `Clustering`.
    """

    ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    clusters: dict[int, int]
    fitted: npt.NDArray[np.bool_]
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
    vectors: npt.NDArray[np.float32] | None = None,
    sample: Sample | None = None,
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
        Images; ``"auto"`` takes one eightieth of all, between 5 and 30. Where HDBSCAN sees a sample, the size is scaled
        to it, and to no less than 8: a sample of a tenth finds concepts of 300 images by groups of 30.
    min_samples
        HDBSCAN's; by default the same as `min_concept_size`, and scaled like it.
    min_jaccard
        As in `match_concepts`.
    vectors, sample
        Unit rows of all images, shape (n, d), and those of them that HDBSCAN sees; the others are then placed by a
        vote, and count in the matching of ids like all. By default it sees all.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [5.3]])
    >>> before = np.array([4, 4, 4, -1, -2, -2, -2])
    >>> fit_concepts(points, before, next_free_id=9, min_concept_size=3, min_samples=1).ids.tolist()
    [4, 4, 4, 9, 9, 9, 9]
    """
    share = 1.0 if sample is None else sample.share
    seen = reduced if sample is None else reduced[sample.rows]
    wanted = auto_concept_size(len(reduced)) if min_concept_size == "auto" else min_concept_size
    size = scaled_size(wanted, share)
    found = cluster(
        seen,
        min_concept_size=size,
        min_samples=None if min_samples is None else scaled_size(min_samples, share),
    )
    if vectors is not None and sample is not None:
        found = spread_clusters(found, vectors, sample)
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
        np.ones(len(reduced), bool) if sample is None else sample.mask,
        round(size / share),
        found.relative_validity,
    )


def scaled_size(size: int, share: float) -> int:
    """Size of a group in a sample that holds a share of the images.

    Examples
    --------
    >>> [scaled_size(size, 1.0) for size in (30, 3)], [scaled_size(size, 0.1) for size in (120, 30, 3)]
    ([30, 3], [12, 8, 3])
    """
    return max(min(size, LEAST_IN_SAMPLE), round(size * share))


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
    >>> fit = Fit(ids, np.array([1, 0.5, 0], np.float32), {4: 0}, np.ones(3, bool), 2, 0.5)
    >>> members_of(fit, np.array([4, 4, -1]), None, pins=set()).concept_ids.tolist()
    [4, 4, -1]
    """
    ids = keep_pinned(before, fit.ids, pins)
    kept = np.where(ids == fit.ids, fit.probabilities, fit.probabilities if shares is None else shares)
    return Membership(ids, ids, kept, fit.fitted)
