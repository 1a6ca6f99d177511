"""Nearest neighbours of unit vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.groups import near_rows

Neighbors = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]

MAX_SCORES = 1 << 25
"""Scores held at once by a blocked product: 128 MiB of float32."""
MAX_PAIRS = 10_000**2
"""Pairs of vectors that are all compared: about a second of one core at 512 dimensions. More grow with the square,
and looking into the nearest groups alone is several times cheaper."""


def block_rows(n_columns: int, most: int = 2048) -> int:
    """Rows of a blocked product that keep it within ``MAX_SCORES`` scores.

    Examples
    --------
    >>> block_rows(1_000), block_rows(100_000)
    (2048, 335)
    """
    return max(1, min(most, MAX_SCORES // max(1, n_columns)))


def top_k(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int32]:
    """Columns of the k highest scores of each row, best first, ties by column.

    Parameters
    ----------
    scores
        Shape (m, n), without NaN.
    k
        Columns wanted, at most n.

    Returns
    -------
    ndarray of int32, shape (m, k)

    Raises
    ------
    ValueError
        When ``k`` is not within 0..n.

    Examples
    --------
    >>> top_k(np.array([[0.1, 0.9, 0.5, 0.9]], dtype=np.float32), 3)
    array([[1, 3, 2]], dtype=int32)
    """
    n_rows, n_columns = scores.shape
    if not 0 <= k <= n_columns:
        raise ValueError(f"k must be within 0..{n_columns}, got {k}")
    if n_rows == 0 or k == 0:
        return np.zeros((n_rows, k), dtype=np.int32)
    # Split the columns into many more groups than k: the k-th best of the groups' maxima is a score that at least k
    # columns reach and few exceed, ties included. Far cheaper than argpartition, which also breaks ties freely.
    size = max(1, n_columns // (16 * k))
    grouped = scores[:, : n_columns // size * size].reshape(n_rows, size, -1)
    n_groups = grouped.shape[2]
    reached = np.partition(grouped.max(axis=1), n_groups - k, axis=1)[:, n_groups - k]
    chosen = np.empty((n_rows, k), dtype=np.int32)
    for row, lowest, best in zip(scores, reached, chosen, strict=True):
        columns = np.flatnonzero(row >= lowest)
        best[:] = columns[np.argsort(-row[columns], kind="stable")[:k]]
    return chosen


def nearest_neighbors(vectors: npt.NDArray[np.float32], k: int) -> Neighbors:
    """Nearest rows of each row by cosine: exact up to 10,000 rows, approximate beyond.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d), finite.
    k
        Neighbours of a row, the row itself included; n when there are fewer rows.

    Returns
    -------
    indices : ndarray of int32, shape (n, min(k, n))
        Each row itself first, then by growing distance, ties by index.
    distances : ndarray of float32, shape (n, min(k, n))
        Cosine distances, 0..2. Below 1e-6, where float32 tells nothing apart, they are 0.

    Raises
    ------
    ValueError
        When ``vectors`` is not a finite matrix or ``k`` is below 1.

    Examples
    --------
    >>> indices, distances = nearest_neighbors(np.eye(3, dtype=np.float32), k=2)
    >>> indices.tolist(), distances[0].tolist()
    ([[0, 1], [1, 0], [2, 0]], [0.0, 1.0])
    """
    if len(vectors) ** 2 <= MAX_PAIRS:
        return exact_neighbors(vectors, k)
    _check(vectors, k)
    return _search(vectors, vectors, k, near_rows(vectors, vectors, k), itself=True)


def exact_neighbors(vectors: npt.NDArray[np.float32], k: int, block: int = 2048) -> Neighbors:
    """Nearest rows of each row by cosine, as `nearest_neighbors` finds them, and exact whatever it costs.

    Parameters
    ----------
    vectors, k
        As there.
    block
        Most rows of one product.

    Examples
    --------
    >>> exact_neighbors(np.eye(3, dtype=np.float32), k=2)[0].tolist()
    [[0, 1], [1, 0], [2, 0]]
    """
    _check(vectors, k)
    return _search(vectors, vectors, k, _all_rows(len(vectors), len(vectors), block), itself=True)


def nearest(queries: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32], k: int) -> Neighbors:
    """Rows of ``vectors`` nearest to each of ``queries`` by cosine: exact up to 100 million pairs.

    Parameters
    ----------
    queries
        Unit rows, shape (m, d), finite.
    vectors
        Unit rows, shape (n, d), finite.
    k
        Neighbours of a query; n when there are fewer rows.

    Returns
    -------
    indices : ndarray of int32, shape (m, min(k, n))
        By growing distance, ties by index.
    distances : ndarray of float32, shape (m, min(k, n))
        As in `nearest_neighbors`.

    Raises
    ------
    ValueError
        When one of both is not a finite matrix or ``k`` is below 1.

    Examples
    --------
    >>> indices, distances = nearest(np.float32([[0.6, 0.8]]), np.eye(2, dtype=np.float32), k=2)
    >>> indices.tolist(), distances.round(3).tolist()
    ([[1, 0]], [[0.20000000298023224, 0.4000000059604645]])
    """
    _check(queries, k)
    _check(vectors, k)
    is_small = len(queries) * len(vectors) <= MAX_PAIRS
    blocks = _all_rows(len(queries), len(vectors)) if is_small else near_rows(queries, vectors, k)
    return _search(queries, vectors, k, blocks)


def _check(vectors: npt.NDArray[np.float32], k: int) -> None:
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be a finite matrix, got shape {vectors.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")


def _all_rows(n_queries: int, n: int, block: int = 2048) -> Iterator[tuple[npt.NDArray[np.intp], None]]:
    """Rows of queries, a block at a time, each with all rows of the vectors."""
    step = block_rows(n, block)
    for start in range(0, n_queries, step):
        yield np.arange(start, min(start + step, n_queries)), None


def _search(
    queries: npt.NDArray[np.float32],
    vectors: npt.NDArray[np.float32],
    k: int,
    blocks: Iterable[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp] | None]],
    *,
    itself: bool = False,
) -> Neighbors:
    """Best rows of each query among those that its block names, all where it names none."""
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    k = min(k, len(vectors))
    indices = np.empty((len(queries), k), dtype=np.int32)
    distances = np.empty((len(queries), k), dtype=np.float32)
    for block, columns in blocks:
        pool = vectors if columns is None else vectors[columns]
        step = block_rows(len(pool), len(block))
        for rows in (block[start : start + step] for start in range(0, len(block), step)):
            scores = queries[rows] @ pool.T
            scores[scores > 1 - 1e-6] = 1.0  # equal vectors give 1 but for rounding: make them true ties
            if itself:  # first, before its duplicates
                scores[np.arange(len(rows)), rows if columns is None else columns.searchsorted(rows)] = np.inf
            best = top_k(scores, k)
            indices[rows] = best if columns is None else columns[best]
            distances[rows] = 1 - np.take_along_axis(scores, best, axis=1)
    return indices, np.clip(distances, 0.0, 2.0, out=distances)
