"""New images placed into a standing fit, without learning anything anew."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.neighbours import block_rows, nearest

NEAREST = 1e-6
"""Cosine distances below it are equal to float32, and weigh the same."""


class Placement(NamedTuple):
    """Where new images belong; one row a new image.

    Attributes
    ----------
    concepts
        Concept of each, int32 (m,), -1 for an outlier.
    shares
        Share of the votes that it got, float32 (m,), 0 for an outlier.
    neighbors, weights
        Rows of the standing images that placed it, int32 (m, k), and how much each counts, float32 (m, k): rows sum
        to 1, and those that voted otherwise have 0.
    """

    concepts: npt.NDArray[np.int32]
    shares: npt.NDArray[np.float32]
    neighbors: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float32]

    @property
    def firmest(self) -> npt.NDArray[np.int32]:
        """Row of the standing image that counts most, for each new one."""
        best = self.weights.argmax(axis=1)
        return np.asarray(self.neighbors[np.arange(len(best)), best], np.int32)


def assign(
    new: npt.NDArray[np.float32],
    standing: npt.NDArray[np.float32],
    concepts: npt.NDArray[np.integer],
    ranks: npt.NDArray[np.integer],
    *,
    n_neighbors: int = 15,
) -> Placement:
    """Place images by a vote of their nearest neighbours, weighted by inverse cosine distance.

    A neighbour that is an outlier votes for none. The winner must also reach the image: one that is further from all
    exemplars of its concept than any standing member is from those besides itself is an outlier.

    Parameters
    ----------
    new
        Unit rows, shape (m, d).
    standing
        Unit rows of the images that vote, shape (n, d), at least one.
    concepts
        Their concepts, shape (n,), -1 for outliers.
    ranks
        1, 2, ... for exemplars, 0 for other images; shape (n,).
    n_neighbors
        Votes of an image, at least 1; n when there are fewer.

    Raises
    ------
    ValueError
        When nothing stands, or lengths differ.

    References
    ----------
    S. Dudani (1976). The Distance-Weighted k-Nearest-Neighbor Rule. The weights are those of scikit-learn's
    ``KNeighborsClassifier(weights="distance")``.

    Examples
    --------
    >>> standing = np.array([[1, 0], [0.96, 0.28], [0, 1], [0.28, 0.96]], dtype=np.float32)
    >>> found = assign(
    ...     np.array([[0.98, 0.199], [-0.6, 0.8]], dtype=np.float32),
    ...     standing,
    ...     np.array([4, 4, 7, 7]),
    ...     np.array([1, 2, 1, 2]),
    ...     n_neighbors=2,
    ... )
    >>> found.concepts.tolist(), found.shares.tolist()
    ([4, -1], [1.0, 0.0])
    """
    if not len(standing) or not len(standing) == len(concepts) == len(ranks):
        raise ValueError(
            f"standing images, concepts and ranks must be as many and at least one, got {len(standing)}, "
            f"{len(concepts)}, {len(ranks)}"
        )
    neighbors, distances = nearest(new, standing, n_neighbors)
    return vote(new, neighbors, distances, standing, concepts, ranks)


def vote(
    new: npt.NDArray[np.float32],
    neighbors: npt.NDArray[np.int32],
    distances: npt.NDArray[np.float32],
    standing: npt.NDArray[np.float32],
    concepts: npt.NDArray[np.integer],
    ranks: npt.NDArray[np.integer],
) -> Placement:
    """Place images whose nearest standing images are known; see `assign`.

    Parameters
    ----------
    new, standing, concepts, ranks
        As `assign` takes them.
    neighbors, distances
        What `neighbours.nearest` found for them, shape (m, k).
    """
    ids, codes = np.unique(concepts, return_inverse=True)
    weights = vote_weights(distances)
    winners = np.empty(len(new), np.int32)
    step = block_rows(len(ids))
    for start in range(0, len(new), step):
        rows = slice(start, start + step)
        winners[rows] = _winners(codes[neighbors[rows]], weights[rows], ids)
    chosen = ids[winners].astype(np.int32)
    for_winner = codes[neighbors] == winners[:, None]
    shares = (weights * for_winner).sum(axis=1) / weights.sum(axis=1)
    weights = np.where(for_winner, weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    chosen[~_reached(new, chosen, standing, concepts, ranks)] = -1
    return Placement(chosen, np.where(chosen < 0, 0, shares).astype(np.float32), neighbors, weights)


def vote_weights(distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How much each neighbour counts: the inverse of its distance.

    Examples
    --------
    >>> vote_weights(np.array([[0.25, 0.5]], np.float32)).tolist()
    [[4.0, 2.0]]
    """
    return np.asarray(1 / np.maximum(distances, NEAREST), np.float32)


def interpolated(layout: npt.NDArray[np.floating], placed: Placement) -> npt.NDArray[np.float32]:
    """Coordinates of new images: the weighted mean of those of the neighbours that placed them.

    Parameters
    ----------
    layout
        Coordinates of the standing images, shape (n, c).
    placed
        Of the new ones.

    Returns
    -------
    ndarray of float32, shape (m, c)
    """
    return np.asarray(np.einsum("mk,mkc->mc", placed.weights, layout[placed.neighbors]), np.float32)


def _winners(
    codes: npt.NDArray[np.intp], weights: npt.NDArray[np.float32], ids: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """Code with the most votes in each row; of equal ones the lowest concept, none last."""
    votes = np.zeros((len(codes), len(ids)))
    np.add.at(votes, (np.arange(len(codes))[:, None], codes), weights)
    order = np.argsort(ids < 0, kind="stable")  # outliers, which sort first by their -1, lose a tie
    return np.asarray(order[votes[:, order].argmax(axis=1)], np.int32)


def _reached(
    new: npt.NDArray[np.float32],
    chosen: npt.NDArray[np.int32],
    standing: npt.NDArray[np.float32],
    concepts: npt.NDArray[np.integer],
    ranks: npt.NDArray[np.integer],
) -> npt.NDArray[np.bool_]:
    """Whether each image is as near to an exemplar of its concept as the furthest standing member."""
    reached = chosen >= 0
    for concept in np.unique(chosen[reached]):
        members = np.flatnonzero(concepts == concept)
        shown = members[ranks[members] > 0]
        cosines = standing[members] @ standing[shown].T
        cosines[members[:, None] == shown] = -np.inf  # how near the others are, and not itself
        bound = cosines.max(axis=1, initial=-np.inf).min()
        rows = np.flatnonzero(chosen == concept)
        reached[rows] = (new[rows] @ standing[shown].T).max(axis=1, initial=-np.inf) >= bound - NEAREST
    return reached
