"""Reduction of image vectors by UMAP."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.compiled import with_umap
from concept_lib.modeling.neighbours import Neighbors, nearest_neighbors

SPECTRAL_ROWS = 10_000
"""Most rows that start from UMAP's spectral layout. Of more it takes a third of the time of a fit, and over six seeds
on 25,000 vectors in 300 clusters it led to no better clusters than principal components (mean ARI .82 for both)."""
START_NOISE = 1e-4
"""Standard deviation of the noise in a start from principal components: equal rows come apart."""
STARTED_RATE = 0.25
"""Learning rate from a given start: at UMAP's 1.0 groups wander further from it, and neighbours are kept no better."""


def reduce(
    vectors: npt.NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    n_components: int = 5,
    min_dist: float = 0.0,
    seed: int = 42,
    neighbors: Neighbors | None = None,
    start: npt.NDArray[np.float32] | None = None,
) -> npt.NDArray[np.float32]:
    """Lay unit vectors out in few dimensions, neighbours close together.

    UMAP (McInnes, Healy, Melville 2018; umap-learn) by cosine on given neighbours: seeded, in one thread, so that
    equal input gives equal output. Fewer than ``n_components + 3`` rows are too few for its spectral start; they get
    their principal components, padded with zeros. Rows that are all alike lie in the origin.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d), finite.
    n_neighbors
        Neighbours of a row, itself included, at least 2; with few rows, n - 1.
    n_components
        Dimensions of the layout.
    min_dist
        Least distance of neighbours in the layout; 0 packs clusters tightly.
    seed
        Seed of the layout.
    neighbors
        What ``nearest_neighbors`` returned for the same vectors with at least ``n_neighbors``; computed when not
        given. Two layouts of the same vectors share them.
    start
        Coordinates to start from, shape (n, n_components), finite; when not given, UMAP's spectral ones, or, of more
        than 10,000 rows, their principal components. The layout keeps their arrangement and not their scale.

    Returns
    -------
    ndarray of float32, shape (n, n_components)
        Finite coordinates.

    Raises
    ------
    ValueError
        When ``vectors`` is not a finite matrix, a size is too small, or ``neighbors`` or ``start`` does not fit.

    References
    ----------
    L. McInnes, J. Healy, J. Melville (2018). UMAP: Uniform Manifold Approximation and Projection for Dimension
    Reduction. arXiv:1802.03426.
    D. Kobak, G. Linderman (2021). Initialization is critical for preserving global data structure in both t-SNE and
    UMAP. Nature Biotechnology 39.

    Examples
    --------
    >>> reduce(np.eye(4, dtype=np.float32), n_components=2).shape
    (4, 2)
    """
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError(f"vectors must be a finite matrix, got shape {vectors.shape}")
    if n_neighbors < 2 or n_components < 1:
        raise ValueError(
            f"n_neighbors must be at least 2 and n_components at least 1, got {n_neighbors}, {n_components}"
        )
    n = len(vectors)
    if n < n_components + 3:
        return _principal_components(vectors, n_components)
    n_neighbors = min(n_neighbors, n - 1)  # UMAP wants fewer neighbours than rows
    indices, distances = nearest_neighbors(vectors, n_neighbors) if neighbors is None else neighbors
    if indices.shape != distances.shape or len(indices) != n or indices.shape[1] < n_neighbors:
        raise ValueError(
            f"neighbors must be two arrays of shape ({n}, >= {n_neighbors}), got {indices.shape}"
        )
    if start is not None and (start.shape != (n, n_components) or not np.isfinite(start).all()):
        raise ValueError(f"start must be finite, of shape ({n}, {n_components}), got {start.shape}")
    if not distances.any():
        return _principal_components(vectors, n_components)

    rate = 1.0 if start is None else STARTED_RATE
    if start is None and n > SPECTRAL_ROWS:
        start = _principal_start(vectors, n_components, seed)

    def fitted(umap: ModuleType) -> npt.NDArray[np.float32]:
        layout: npt.NDArray[np.float32] = umap.UMAP(
            n_neighbors=n_neighbors,
            n_components=n_components,
            min_dist=min_dist,
            metric="cosine",
            init="spectral" if start is None else start.copy(),
            learning_rate=rate,
            random_state=seed,
            n_jobs=1,
            disconnection_distance=np.inf,  # opposite vectors stay finite too
            # copies of exactly n_neighbors columns: umap prunes only large inputs, and writes into what it is given
            precomputed_knn=(indices[:, :n_neighbors].copy(), distances[:, :n_neighbors].copy()),
        ).fit_transform(vectors)
        return layout

    with _umap_warnings_silenced():
        return with_umap(fitted)


def _principal_start(
    vectors: npt.NDArray[np.float32], n_components: int, seed: int
) -> npt.NDArray[np.float32]:
    """First principal components, those of about `SPECTRAL_ROWS` rows, and a little noise, for UMAP to start from."""
    mean, axes = _principal_axes(vectors[:: len(vectors) // SPECTRAL_ROWS], n_components)
    start = (
        np.random.default_rng(seed).normal(0, START_NOISE, (len(vectors), n_components)).astype(np.float32)
    )
    start[:, : axes.shape[1]] += (vectors - mean.astype(np.float32)) @ axes.astype(np.float32)
    return start


def _principal_components(vectors: npt.NDArray[np.float32], n_components: int) -> npt.NDArray[np.float32]:
    """Project onto the first principal components, each with its largest loading positive."""
    projected = np.zeros((len(vectors), n_components), dtype=np.float32)
    if not vectors.size:
        return projected
    mean, axes = _principal_axes(vectors, n_components)
    # six decimals: what is left below is rounding, and equal rows must stay equal
    projected[:, : axes.shape[1]] = np.round((vectors - mean) @ axes, 6)
    return projected


def _principal_axes(
    vectors: npt.NDArray[np.float32], n_components: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and first principal axes, the largest loading of each positive."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :n_components]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return mean, axes


@contextmanager
def _umap_warnings_silenced() -> Iterator[None]:
    """Keep quiet what umap-learn says about things that we chose or that it mends by itself."""
    with warnings.catch_warnings():
        # no search index: transform() is not used
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)
        # too small an eigengap: it starts from a seeded random layout
        warnings.filterwarnings("ignore", "Spectral initialisation failed", UserWarning)
        yield
