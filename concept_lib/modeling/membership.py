"""Who belongs to which concept, in a fit and under it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

LEAST_MEMBERS = 2
"""A concept left with fewer images dies."""


class Membership(NamedTuple):
    """The concept of each image, by lasting ids; one row an image.

    Attributes
    ----------
    raw_ids
        Concept as HDBSCAN grouped it, int32 (n,), -1 for an outlier. This is what later fits are matched with.
    concept_ids
        Concept as it is shown: the same, but for the user's merges; int32 (n,), -1 for an outlier.
    probabilities
        Strength of membership, float32 (n,): HDBSCAN's, or the share of the votes; 0 for an outlier.
    fitted
        bool (n,): whether the standing fit learnt from the image; the others were assigned to it.
    """

    raw_ids: npt.NDArray[np.int32]
    concept_ids: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    fitted: npt.NDArray[np.bool_]


class Standing(NamedTuple):
    """The published concepts, seen from the images of now; one row an image of now.

    Attributes
    ----------
    known
        bool (n,): whether the image was there. Other rows hold -1, 0, False and NaN.
    members
        What it belonged to.
    ranks
        1, 2, ... for exemplars, 0 for other images; int32 (n,).
    space, plane
        Where it lay in the space of the clusters, float32 (n, c), and on the map, float32 (n, 2).
    n_fit
        Images that were there at the standing fit, those that left since included.
    present
        bool (n,): whether the image was there then: fitted, or placed by a fit that learnt from a sample.
    """

    known: npt.NDArray[np.bool_]
    members: Membership
    ranks: npt.NDArray[np.int32]
    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    n_fit: int
    present: npt.NDArray[np.bool_]


def dissolved(members: Membership) -> Membership:
    """Make outliers of the images of concepts that have fewer than two.

    Examples
    --------
    >>> ids = np.array([4, 4, 7, -1], np.int32)
    >>> alone = Membership(ids, ids, np.ones(4, np.float32), np.ones(4, bool))
    >>> dissolved(alone).concept_ids.tolist(), dissolved(alone).probabilities.tolist()
    ([4, 4, -1, -1], [1.0, 1.0, 0.0, 0.0])
    """
    ids, places, sizes = np.unique(members.concept_ids, return_inverse=True, return_counts=True)
    out = (ids[places] < 0) | (sizes[places] < LEAST_MEMBERS)
    return Membership(
        np.where(out, -1, members.raw_ids).astype(np.int32),
        np.where(out, -1, members.concept_ids).astype(np.int32),
        np.where(out, 0, members.probabilities).astype(np.float32),
        members.fitted,
    )
