"""Exact nearest neighbours of unit vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MAX_SCORES = 1 << 25
"""Scores held at once by a blocked product: 128 MiB of float32."""


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


def exact_neighbors(
    vectors: npt.NDArray[np.float32], k: int, block: int = 2048
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Nearest rows of each row by cosine, found by blocked matrix products.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d), finite.
    k
        Neighbours of a row, the row itself included; n when there are fewer rows.
    block
        Most rows of one product.

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
    >>> indices, distances = exact_neighbors(np.eye(3, dtype=np.float32), k=2)
    >>> indices.tolist(), distances[0].tolist()
    ([[0, 1], [1, 0], [2, 0]], [0.0, 1.0])
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be a finite matrix, got shape {vectors.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    n = len(vectors)
    k = min(k, n)
    indices = np.empty((n, k), dtype=np.int32)
    distances = np.empty((n, k), dtype=np.float32)
    step = block_rows(n, block)
    for start in range(0, n, step):
        rows = np.arange(start, min(start + step, n))
        scores = vectors[rows] @ vectors.T
        scores[scores > 1 - 1e-6] = 1.0  # equal vectors give 1 but for rounding: make them true ties
        scores[np.arange(len(rows)), rows] = np.inf  # itself first, before its duplicates
        indices[rows] = top_k(scores, k)
        distances[rows] = 1 - np.take_along_axis(scores, indices[rows], axis=1)
    return indices, np.clip(distances, 0.0, 2.0, out=distances)
