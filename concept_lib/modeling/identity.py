"""Lasting ids: which cluster of a new fit carries on which concept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.integer]


class Overlap(NamedTuple):
    """How many survivors each old concept shares with each new one.

    Attributes
    ----------
    before, after
        Concepts that hold a survivor, by growing id; int32 (p,) and (q,).
    shared
        Survivors of each pair, int64 (p, q).
    n_before, n_after
        Survivors of each concept, those that are or were outliers included; int64 (p,) and (q,).
    """

    before: npt.NDArray[np.int32]
    after: npt.NDArray[np.int32]
    shared: npt.NDArray[np.int64]
    n_before: npt.NDArray[np.int64]
    n_after: npt.NDArray[np.int64]

    @property
    def jaccard(self) -> npt.NDArray[np.float64]:
        """Jaccard index of each pair on survivors, float64 (p, q)."""
        union = self.n_before[:, None] + self.n_after[None, :] - self.shared
        return np.asarray(self.shared / union, np.float64)


def survivors(
    before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Concepts of the images that are in both states, in the order of their ids.

    Parameters
    ----------
    before, after
        Concept of each image, -1 for an outlier.

    Returns
    -------
    before, after : ndarray of int32, shape (s,)

    Examples
    --------
    >>> survivors({"a": 0, "b": 3, "c": -1}, {"c": 1, "d": 1, "b": 2})
    (array([ 3, -1], dtype=int32), array([2, 1], dtype=int32))
    """
    images = sorted(before.keys() & after.keys())
    was = np.fromiter((before[image] for image in images), np.int32, len(images))
    now = np.fromiter((after[image] for image in images), np.int32, len(images))
    return was, now


def overlap(before: IntArray, after: IntArray) -> Overlap:
    """Count the survivors of each pair of an old and a new concept.

    Parameters
    ----------
    before, after
        Concept of each survivor in the two states, -1 for an outlier; int (s,).

    Examples
    --------
    >>> found = overlap(np.array([7, 7, 7, 9, -1]), np.array([0, 0, 1, 1, 1]))
    >>> found.shared.tolist(), found.n_before.tolist(), found.n_after.tolist()
    ([[2, 1], [0, 1]], [3, 1], [2, 3])
    >>> found.jaccard.round(2).tolist()
    [[0.67, 0.2], [0.0, 0.33]]
    """
    old, n_before = np.unique(before[before >= 0], return_counts=True)
    new, n_after = np.unique(after[after >= 0], return_counts=True)
    both = (before >= 0) & (after >= 0)
    pairs = np.searchsorted(old, before[both]) * len(new) + np.searchsorted(new, after[both])
    shared = np.bincount(pairs, minlength=len(old) * len(new)).reshape(len(old), len(new))
    return Overlap(
        old.astype(np.int32),
        new.astype(np.int32),
        shared.astype(np.int64),
        n_before.astype(np.int64),
        n_after.astype(np.int64),
    )


def best_relabelling(
    found: Overlap, min_jaccard: float = 0.3
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """One-to-one pairs of old and new concepts under which the most survivors keep their concept.

    Only pairs of at least `min_jaccard` count. Of pairings that keep equally many images, one with the highest sum
    of Jaccard indices is taken.

    Parameters
    ----------
    found
        Survivors of each pair.
    min_jaccard
        Within 0..1, above 0.

    Returns
    -------
    rows, columns : ndarray of intp, shape (m,)
        Positions in ``found.before`` and ``found.after``.

    Raises
    ------
    ValueError
        When `min_jaccard` is out of range.

    References
    ----------
    D. Crouse (2016). On implementing 2D rectangular assignment algorithms; as in SciPy.

    Examples
    --------
    >>> rows, columns = best_relabelling(overlap(np.array([7, 7, 7, 9]), np.array([1, 1, 0, 0])))
    >>> rows.tolist(), columns.tolist()
    ([0, 1], [1, 0])
    """
    if not 0 < min_jaccard <= 1:
        raise ValueError(f"min_jaccard must be above 0 and at most 1, got {min_jaccard}")
    from scipy.optimize import linear_sum_assignment

    jaccard = found.jaccard
    admissible = jaccard >= min_jaccard
    # all Jaccard indices together weigh less than one image: they decide between equals only
    tie_breaker = jaccard / (1 + min(jaccard.shape))
    rows, columns = linear_sum_assignment(
        np.where(admissible, found.shared + tie_breaker, 0.0), maximize=True
    )
    accepted = admissible[rows, columns]
    return rows[accepted], columns[accepted]


def match_concepts(
    before: IntArray, after: IntArray, n_clusters: int, next_free_id: int, *, min_jaccard: float = 0.3
) -> npt.NDArray[np.int32]:
    """Give each cluster of a new fit a lasting id.

    Clusters take over the ids of old concepts by optimal one-to-one matching on survivors; the rest take ids that were
    never used, in the order of their clusters. The order of the survivors does not matter.

    Parameters
    ----------
    before
        Old concept of each image that is in both states, -1 for an outlier; int (s,).
    after
        New cluster of the same images, 0..n_clusters-1, -1 for an outlier; int (s,).
    n_clusters
        Clusters of the new fit; some may hold no survivor.
    next_free_id
        Lowest id that was never used. Afterwards it is the higher of itself and the highest id returned plus one.
    min_jaccard
        Least Jaccard index, on survivors, of a cluster and the concept that it carries on.

    Returns
    -------
    ndarray of int32, shape (n_clusters,)
        Distinct ids.

    Raises
    ------
    ValueError
        When lengths differ, `next_free_id` is in use, a cluster is out of range, or `min_jaccard` is.

    Examples
    --------
    >>> before, after = np.array([4, 4, 4, 6, 6, -1]), np.array([1, 1, 1, 0, 2, 2])
    >>> match_concepts(before, after, n_clusters=4, next_free_id=9)
    array([ 6,  4,  9, 10], dtype=int32)
    """
    if len(before) != len(after):
        raise ValueError(f"lengths differ: {len(before)} old concepts, {len(after)} new clusters")
    if before.max(initial=-1) >= next_free_id:
        raise ValueError(f"next_free_id must be above every id in use, got {next_free_id}")
    if after.max(initial=-1) >= n_clusters:
        raise ValueError(f"clusters must be within 0..{n_clusters - 1}, got {after.max()}")
    found = overlap(before, after)
    rows, columns = best_relabelling(found, min_jaccard)
    ids = np.full(n_clusters, -1, np.int32)
    ids[found.after[columns]] = found.before[rows]
    new = np.flatnonzero(ids < 0)
    ids[new] = np.arange(next_free_id, next_free_id + len(new))
    return ids


def drift(vector: npt.NDArray[np.floating], last: npt.NDArray[np.floating]) -> float:
    """1 - cosine of a concept's vector to its last, 0..2; exactly 0 for equal vectors.

    Parameters
    ----------
    vector, last
        Not zero, of one length.

    Examples
    --------
    >>> drift(np.array([1.0, 0.0]), np.array([0.0, 1.0])), drift(np.array([3.0, 1.0]), np.array([3.0, 1.0]))
    (1.0, 0.0)
    """
    ours, theirs = np.asarray(vector, np.float64), np.asarray(last, np.float64)
    apart = ours / np.linalg.norm(ours) - theirs / np.linalg.norm(theirs)
    return float(apart @ apart / 2)  # the same for unit vectors, and exact where they hardly differ
