"""Clusters of reduced vectors by HDBSCAN."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Clustering(NamedTuple):
    """What HDBSCAN found.

    Attributes
    ----------
    labels
        Cluster of each row, shape (n,): 0 is the largest, equal ones by their lowest row; -1 is noise.
    probabilities
        Strength of membership, 0..1, shape (n,); 0 for noise.
    relative_validity
        Density-based validity after Moulavi et al. (2014), -1..1; NaN with fewer than two clusters.
    """

    labels: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    relative_validity: float

    @property
    def n_clusters(self) -> int:
        """Number of clusters, noise not counted."""
        return int(self.labels.max(initial=-1)) + 1


def auto_concept_size(n: int) -> int:
    """Fewest images of a concept for a collection of n: n // 80, between 5 and 30.

    Examples
    --------
    >>> [auto_concept_size(n) for n in (40, 960, 25_000)]
    [5, 12, 30]
    """
    return min(max(n // 80, 5), 30)


def cluster(
    reduced: npt.NDArray[np.floating], *, min_concept_size: int, min_samples: int | None = None
) -> Clustering:
    """Group rows by density: HDBSCAN, excess of mass.

    A collection with a single dense region has no clusters, only noise: HDBSCAN is not allowed to return its root
    (``allow_single_cluster`` would also swallow real structure). Fewer rows than ``min_concept_size`` are all noise.

    Parameters
    ----------
    reduced
        Shape (n, m), finite.
    min_concept_size
        Fewest rows of a cluster, at least 2.
    min_samples
        Neighbours that make a row a core point; the higher, the more noise. ``min_concept_size`` when not given.

    Returns
    -------
    Clustering

    Raises
    ------
    ValueError
        When ``reduced`` is not a finite matrix or a size is too small.

    References
    ----------
    R. Campello, D. Moulavi, J. Sander (2013). Density-Based Clustering Based on Hierarchical Density Estimates.
    L. McInnes, J. Healy, S. Astels (2017). hdbscan: Hierarchical density based clustering.
    D. Moulavi et al. (2014). Density-Based Clustering Validation.

    Examples
    --------
    >>> points = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [5.3]])
    >>> cluster(points, min_concept_size=3, min_samples=1).labels.tolist()
    [1, 1, 1, 0, 0, 0, 0]
    """
    if reduced.ndim != 2 or not np.isfinite(reduced).all():
        raise ValueError(f"reduced must be a finite matrix, got shape {reduced.shape}")
    if min_concept_size < 2 or (min_samples is not None and min_samples < 1):
        raise ValueError(
            f"min_concept_size must be at least 2 and min_samples at least 1, got {min_concept_size}, {min_samples}"
        )
    n = len(reduced)
    if n < min_concept_size:
        return Clustering(np.full(n, -1, dtype=np.int32), np.zeros(n, dtype=np.float32), float("nan"))
    import hdbscan

    model = hdbscan.HDBSCAN(
        min_cluster_size=min_concept_size,
        min_samples=min_samples,
        cluster_selection_method="eom",
        core_dist_n_jobs=1,  # a pool of processes costs more than it saves
        gen_min_span_tree=True,  # for the validity
    ).fit(np.ascontiguousarray(reduced, dtype=np.float64))
    labels = _by_size(model.labels_)
    validity = float(model.relative_validity_) if labels.max() > 0 else float("nan")
    return Clustering(labels, model.probabilities_.astype(np.float32), validity)


def _by_size(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    """Renumber clusters from the largest on, equal ones by their lowest row; noise stays -1."""
    found, first_row, sizes = np.unique(labels, return_index=True, return_counts=True)
    real = found >= 0
    order = np.lexsort((first_row[real], -sizes[real]))
    numbers = np.full(len(found), -1, dtype=np.int32)
    numbers[np.flatnonzero(real)[order]] = np.arange(len(order))
    return numbers[np.searchsorted(found, labels)]
