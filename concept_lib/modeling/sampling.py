"""A sample that a fit learns from, and how what it learns spreads to the other images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.assign import vote, vote_weights
from concept_lib.modeling.cluster import Clustering
from concept_lib.modeling.exemplars import choose_exemplars
from concept_lib.modeling.neighbours import block_rows, nearest

FLOOR = 5
"""Images that a stratum sends to a sample at least, where it has so many."""
FLOOR_SHARE = 0.05
"""Share of a sample that may be drawn for the sake of the floor; a small sample has a lower one."""
STEPS = 32
"""Steps towards a spatial median. Where a third of the neighbours lie elsewhere at random, nine medians of ten are then
found to within a hundredth of the others' spread."""
SPREAD_ROWS = 1 << 16
"""Images that are laid out at once."""


class Sample(NamedTuple):
    """The images that a fit learns from, and their nearest of each other image.

    Attributes
    ----------
    rows, others
        Rows of the sample and of the other images, both growing; int32 (m,) and (n - m,).
    neighbors, distances
        Positions in `rows` of the nearest of each other image, and how far they are by cosine; int32 and float32
        (n - m, k).
    """

    rows: npt.NDArray[np.int32]
    others: npt.NDArray[np.int32]
    neighbors: npt.NDArray[np.int32]
    distances: npt.NDArray[np.float32]

    @property
    def share(self) -> float:
        """Share of all images that is in the sample; 1 without images."""
        n = len(self.rows) + len(self.others)
        return len(self.rows) / n if n else 1.0

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Whether each image is in the sample, bool (n,)."""
        inside = np.ones(len(self.rows) + len(self.others), bool)
        inside[self.others] = False
        return inside

    def narrowed(self, k: int) -> Sample:
        """The same with the nearest k neighbours of each other image alone."""
        return self._replace(neighbors=self.neighbors[:, :k], distances=self.distances[:, :k])


def content_keys(image_ids: Sequence[str], seed: int) -> npt.NDArray[np.uint64]:
    """Random number of each image, which depends on its content and on the seed alone.

    Parameters
    ----------
    image_ids
        SHA-256 digests in hexadecimal.
    seed
        Another one gives other numbers.

    Examples
    --------
    >>> first, second = content_keys(["00" * 32, "80" + "00" * 31], seed=1)
    >>> int(first ^ second) == 1 << 63
    True
    """
    digests = np.fromiter((int(image_id[:16], 16) for image_id in image_ids), np.uint64, len(image_ids))
    return digests ^ np.random.default_rng(seed).integers(0, 1 << 63, dtype=np.uint64)


def stratified_sample(
    vectors: npt.NDArray[np.float32], size: int, keys: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """Draw images so that every region of the space is in the sample as it is in the collection.

    The images nearest to each of about sqrt(n) pivots are a stratum. It sends images in proportion to its size
    (largest remainders), but a few at least. Its lowest keys are drawn, and the lowest of all are the pivots: an
    image keeps its key, so that a later sample of the same images and some others is nearly the same sample.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    size
        Images to draw, at least 1; all where there are no more.
    keys
        Random number of each image, shape (n,); of equal ones the lower row comes first.

    Returns
    -------
    ndarray of int32, shape (min(size, n),)
        Growing rows. The order of the images does not matter.

    References
    ----------
    J. Neyman (1934). On the Two Different Aspects of the Representative Method: stratified sampling with proportional
    allocation. K. Brewer, L. Early, S. Joyce (1972). Selecting several samples from a single population: permanent
    random numbers.

    Examples
    --------
    >>> vectors = np.eye(2, dtype=np.float32)[np.repeat([0, 1], [90, 10])]
    >>> drawn = stratified_sample(vectors, 20, np.random.default_rng(3).permutation(100))
    >>> np.bincount(drawn >= 90).tolist()
    [18, 2]
    """
    n = len(vectors)
    if len(keys) != n or size < 1:
        raise ValueError(
            f"size must be at least 1 and keys as many as vectors, got {size}, {len(keys)} for {n}"
        )
    if n <= size:
        return np.arange(n, dtype=np.int32)
    by_key = np.argsort(keys, kind="stable")
    strata = _nearest_pivot(vectors, vectors[by_key[: math.isqrt(n - 1) + 1]])
    sizes = np.bincount(strata)
    drawn = allocated(sizes, size, min(FLOOR, int(FLOOR_SHARE * size / len(sizes))))
    in_strata = by_key[np.argsort(strata[by_key], kind="stable")]
    places = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(in_strata[places < np.repeat(drawn, sizes)]).astype(np.int32)


def allocated(sizes: npt.NDArray[np.integer], total: int, floor: int) -> npt.NDArray[np.int64]:
    """How many each stratum sends to a sample: in proportion by largest remainders, but `floor` at least.

    Parameters
    ----------
    sizes
        Images of each stratum, shape (s,).
    total
        Images of the sample, at most as many as there are and at least `floor` a stratum.
    floor
        A smaller stratum sends all that it has.

    Returns
    -------
    ndarray of int64, shape (s,)
        Their sum is `total`.

    Examples
    --------
    >>> allocated(np.array([70, 27, 3]), 10, floor=0).tolist(), allocated(np.array([70, 27, 3]), 10, floor=2).tolist()
    ([7, 3, 0], [6, 2, 2])
    """
    least = np.minimum(sizes, floor)
    above = np.maximum(total * sizes / max(1, sizes.sum()) - least, 0)
    ideal = above * ((total - least.sum()) / max(above.sum(), 1e-12))
    drawn = least + ideal.astype(np.int64)
    rest = np.argsort(drawn - least - ideal, kind="stable")[: total - drawn.sum()]
    drawn[rest] += 1
    return np.asarray(drawn, np.int64)


def sampled(vectors: npt.NDArray[np.float32], rows: npt.NDArray[np.int32], k: int) -> Sample:
    """Find the nearest images of a sample for each image outside.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    rows
        Growing rows of the sample.
    k
        Neighbours of an image.

    Examples
    --------
    >>> found = sampled(np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32), np.array([0, 1], np.int32), k=1)
    >>> found.others.tolist(), found.neighbors.tolist(), found.distances.round(2).tolist()
    ([2], [[0]], [[0.20000000298023224]])
    """
    others = np.setdiff1d(np.arange(len(vectors), dtype=np.int32), rows, assume_unique=True)
    return Sample(rows, others, *nearest(vectors[others], vectors[rows], k))


def spread_layout(layout: npt.NDArray[np.float32], sample: Sample) -> npt.NDArray[np.float32]:
    """Lay out all images: those of the sample where they lie, each other one at the median of its nearest.

    The spatial median, by Weiszfeld's steps and weighted as in the vote: a minority of the neighbours that lies
    elsewhere does not draw an image out into the empty space between.

    Parameters
    ----------
    layout
        Coordinates of the sample, shape (m, c).
    sample
        Of n images.

    Returns
    -------
    ndarray of float32, shape (n, c)

    References
    ----------
    E. Weiszfeld (1937). Sur le point pour lequel la somme des distances de n points donnés est minimum.

    Examples
    --------
    >>> four = np.array([[0, 0], [0, 0.02], [0.02, 0], [9, 9]], np.float32)
    >>> near = Sample(np.arange(4), np.array([4]), np.array([[0, 1, 2, 3]]), np.full((1, 4), 0.5, np.float32))
    >>> spread_layout(four, near)[4].round(2).tolist()
    [0.009999999776482582, 0.009999999776482582]
    """
    spread = np.empty((len(sample.rows) + len(sample.others), layout.shape[1]), np.float32)
    spread[sample.rows] = layout
    for start in range(0, len(sample.others), SPREAD_ROWS):
        block = slice(start, start + SPREAD_ROWS)
        weights = vote_weights(sample.distances[block]).astype(np.float64)
        spread[sample.others[block]] = _spatial_medians(layout[sample.neighbors[block]], weights)
    return spread


def spread_clusters(found: Clustering, vectors: npt.NDArray[np.float32], sample: Sample) -> Clustering:
    """Place the images outside the sample in its clusters, as new images are placed in concepts.

    Parameters
    ----------
    found
        Clusters of the sample.
    vectors
        Unit rows of all images, shape (n, d).
    sample
        Of the same images.

    Returns
    -------
    Clustering
        Of all images, in the clusters' own numbers. The strength of membership of one that was placed is its share
        of the votes.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [0.98, 0.2], [0, 1], [0.99, 0.1]], np.float32)
    >>> found = Clustering(np.array([0, 0, -1]), np.array([1, 0.9, 0], np.float32), 0.5)
    >>> spread_clusters(found, vectors, sampled(vectors, np.arange(3, dtype=np.int32), k=2)).labels.tolist()
    [0, 0, -1, 0]
    """
    standing = vectors[sample.rows]
    ranks = np.zeros(len(standing), np.int32)
    for shown in choose_exemplars(standing, found.labels, found.probabilities):
        ranks[shown] = np.arange(1, len(shown) + 1)
    placed = vote(vectors[sample.others], sample.neighbors, sample.distances, standing, found.labels, ranks)
    labels = np.empty(len(vectors), np.int32)
    shares = np.empty(len(vectors), np.float32)
    labels[sample.rows], shares[sample.rows] = found.labels, found.probabilities
    labels[sample.others], shares[sample.others] = placed.concepts, placed.shares
    return Clustering(labels, shares, found.relative_validity)


def _nearest_pivot(
    vectors: npt.NDArray[np.float32], pivots: npt.NDArray[np.float32]
) -> npt.NDArray[np.int64]:
    """Number of the pivot that is nearest to each image, of equal ones the lowest."""
    found = np.empty(len(vectors), np.int64)
    step = block_rows(len(pivots))
    for start in range(0, len(vectors), step):
        found[start : start + step] = (vectors[start : start + step] @ pivots.T).argmax(axis=1)
    return found


def _spatial_medians(
    places: npt.NDArray[np.floating], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Point of the least weighted sum of distances to each row's places, (m, k, c) to (m, c)."""
    weights = weights / weights.sum(axis=1, keepdims=True)
    found = np.einsum("mk,mkc->mc", weights, places)
    for _ in range(STEPS):
        apart = np.linalg.norm(places - found[:, None], axis=2)
        pull = weights / np.maximum(apart, 1e-6 + 1e-6 * apart.max(axis=1, keepdims=True))
        found = np.einsum("mk,mkc->mc", pull / pull.sum(axis=1, keepdims=True), places)
    return np.asarray(found, np.float64)
