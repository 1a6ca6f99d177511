"""The images that stand for a cluster, and the vector that they give it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_CANDIDATES = 1024
TWIN_SIMILARITY = 0.999
"""From this cosine on two images count as copies of one picture."""
NONE = np.zeros(0, np.int32)


def choose_exemplars(
    vectors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    probabilities: npt.NDArray[np.floating],
    *,
    n_exemplars: int = 8,
    diversity: float = 0.3,
) -> list[npt.NDArray[np.int32]]:
    """Pick the rows that show each cluster best without showing the same thing twice.

    A cluster's members stand in order of membership probability, equal ones (HDBSCAN gives 1 to many) by closeness
    (cosine) to the cluster's mean vector; the first 1,024 count. Of these the firmest half are candidates, at least
    ``4 * n_exemplars``: that keeps stragglers out. From the candidates maximal marginal relevance picks. Twins of a
    firmer member (cosine of at least 0.999: copies of one picture) come last in both steps, whatever their
    relevance; a small diversity alone would let them in.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    labels
        Cluster of each row, shape (n,): 0..k-1, each with members; -1 for noise.
    probabilities
        Strength of membership, shape (n,).
    n_exemplars
        Most rows of a cluster.
    diversity
        0: the closest to the cluster's mean; 1: the most different from each other.

    Returns
    -------
    list of ndarray of int32
        Rows of each cluster, best first.

    Raises
    ------
    ValueError
        When lengths differ, a cluster has no members, or a parameter is out of range.

    References
    ----------
    J. Carbonell, J. Goldstein (1998). The Use of MMR, Diversity-Based Reranking for Reordering Documents and
    Producing Summaries.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [0.96, 0.28], [0.96, 0.28], [0, 1]], dtype=np.float32)
    >>> choose_exemplars(vectors, np.array([0, 0, 0, -1]), np.array([1.0, 1.0, 1.0, 0.0]), n_exemplars=2)
    [array([1, 0], dtype=int32)]
    """
    if not len(vectors) == len(labels) == len(probabilities):
        raise ValueError(
            f"lengths differ: {len(vectors)} vectors, {len(labels)} labels, {len(probabilities)} probabilities"
        )
    if n_exemplars < 1 or not 0 <= diversity <= 1:
        raise ValueError(
            f"n_exemplars must be at least 1 and diversity within 0..1, got {n_exemplars}, {diversity}"
        )
    return [
        _exemplars(vectors, members, probabilities[members], n_exemplars, diversity, NONE)
        for members in members_by_cluster(labels)
    ]


def refill_exemplars(
    vectors: npt.NDArray[np.float32],
    members: npt.NDArray[np.int32],
    probabilities: npt.NDArray[np.floating],
    kept: npt.NDArray[np.int32],
    *,
    n_exemplars: int = 8,
    diversity: float = 0.3,
) -> npt.NDArray[np.int32]:
    """Exemplars of one cluster of which some are chosen already: those first, then what suits them.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    members
        Rows of the cluster.
    probabilities
        Their strength of membership, shape (len(members),).
    kept
        Those chosen already, best first, among the members.
    n_exemplars, diversity
        As in `choose_exemplars`, which this equals where nothing is kept.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [0.96, 0.28], [0.8, 0.6]], dtype=np.float32)
    >>> rows = np.arange(3, dtype=np.int32)
    >>> refill_exemplars(vectors, rows, np.ones(3), np.array([2], np.int32), n_exemplars=2)
    array([2, 0], dtype=int32)
    """
    if len(kept) >= min(n_exemplars, len(members)):
        return kept[:n_exemplars]
    return _exemplars(vectors, members, probabilities, n_exemplars, diversity, kept)


def members_by_cluster(labels: npt.NDArray[np.integer]) -> list[npt.NDArray[np.int32]]:
    """Rows of each cluster 0..k-1 in ascending order; noise (-1) left out.

    Raises
    ------
    ValueError
        When a cluster has no members.

    Examples
    --------
    >>> members_by_cluster(np.array([1, 0, -1, 1]))
    [array([1], dtype=int32), array([0, 3], dtype=int32)]
    """
    rows = np.flatnonzero(labels >= 0).astype(np.int32)
    sizes = np.bincount(labels[rows])
    if not sizes.all():
        raise ValueError(f"cluster {int(sizes.argmin())} has no members")
    ordered = rows[np.argsort(labels[rows], kind="stable")]
    return [np.asarray(part) for part in np.split(ordered, np.cumsum(sizes)[:-1])] if len(sizes) else []


def _exemplars(
    vectors: npt.NDArray[np.float32],
    members: npt.NDArray[np.int32],
    probabilities: npt.NDArray[np.floating],
    n_exemplars: int,
    diversity: float,
    kept: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    """Exemplars of one cluster, those kept first."""
    centre = _unit(vectors[members].mean(axis=0, dtype=np.float64))
    order = np.lexsort((members, -(vectors[members] @ centre), -probabilities))
    firmest = members[order[:MAX_CANDIDATES]]
    firmest = np.concatenate([firmest, kept[~np.isin(kept, firmest)]])
    cosines = vectors[firmest] @ vectors[firmest].T
    is_twin = np.tril(cosines >= TWIN_SIMILARITY, k=-1).any(axis=1)
    half = -(-np.count_nonzero(~is_twin) // 2)
    pool = np.argsort(is_twin, kind="stable")[: max(half, 4 * n_exemplars)]
    held = np.array([np.flatnonzero(firmest == row)[0] for row in kept], np.intp)
    candidates = np.concatenate([held, pool[~np.isin(pool, held)]])
    picked = _maximal_marginal_relevance(
        vectors[firmest[candidates]] @ centre,
        cosines[np.ix_(candidates, candidates)],
        n_exemplars,
        diversity,
        list(range(len(held))),
    )
    return np.asarray(firmest[candidates[picked]], np.int32)


def _maximal_marginal_relevance(
    relevance: npt.NDArray[np.float64],
    cosines: npt.NDArray[np.float32],
    n: int,
    diversity: float,
    picked: list[int],
) -> list[int]:
    """Pick up to n candidates, each as relevant and as unlike those before it as can be; twins last, ties by position.

    Some may be picked already.
    """
    picked = picked or [int(relevance.argmax())]
    redundancy = cosines[picked].max(axis=0)
    while len(picked) < min(n, len(relevance)):
        score = (1 - diversity) * relevance - diversity * redundancy
        score[redundancy >= TWIN_SIMILARITY] -= 4.0  # below every score of a candidate that is no twin
        score[picked] = -np.inf
        picked.append(int(score.argmax()))
        redundancy = np.maximum(redundancy, cosines[picked[-1]])
    return picked


def concept_vectors(
    vectors: npt.NDArray[np.float32], exemplars: Sequence[npt.NDArray[np.integer]]
) -> npt.NDArray[np.float32]:
    """Vector of each concept: the normalised mean of its exemplars.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    exemplars
        Rows of each concept, at least one.

    Returns
    -------
    ndarray of float32, shape (k, d)
        Unit rows.

    Examples
    --------
    >>> concept_vectors(np.eye(2, dtype=np.float32), [np.array([0, 1])]).round(3).tolist()
    [[0.7070000171661377, 0.7070000171661377]]
    """
    means = np.empty((len(exemplars), vectors.shape[1]), dtype=np.float32)
    for mean, rows in zip(means, exemplars, strict=True):
        mean[:] = _unit(vectors[rows].mean(axis=0, dtype=np.float64))
    return means


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Divide by the length; a zero vector stays zero."""
    length = np.linalg.norm(vector)
    return vector / length if length else vector
