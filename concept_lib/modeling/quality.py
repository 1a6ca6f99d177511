"""Figures that tell how good clusters and labels are. NaN stands for what is not defined."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.identity import best_relabelling, overlap

MAX_SILHOUETTE_ROWS = 5_000
"""Above it the silhouette, whose cost is quadratic, is that of a sample."""


def outlier_share(labels: npt.NDArray[np.integer]) -> float:
    """Share of the images in no cluster; NaN without images.

    Examples
    --------
    >>> outlier_share(np.array([0, 0, -1, 1]))
    0.25
    """
    return float(np.mean(labels < 0)) if len(labels) else float("nan")


def silhouette(reduced: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], seed: int = 42) -> float:
    """Mean silhouette coefficient of the images in clusters, by Euclidean distance.

    Parameters
    ----------
    reduced
        Shape (n, m).
    labels
        Cluster of each row, shape (n,); -1 for noise, which is left out.
    seed
        Seed of the sample of 5,000 rows that stands for a larger collection.

    Returns
    -------
    float
        -1..1; NaN with fewer than two clusters or no cluster of two rows.

    References
    ----------
    P. Rousseeuw (1987). Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.

    Examples
    --------
    >>> silhouette(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1]))
    1.0
    """
    rows = np.flatnonzero(labels >= 0)
    if len(rows) > MAX_SILHOUETTE_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_SILHOUETTE_ROWS, replace=False))
    if not 2 <= len(np.unique(labels[rows])) < len(rows):
        return float("nan")
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(reduced[rows], labels[rows]))


def cluster_metrics(
    reduced: npt.NDArray[np.floating], labels: npt.NDArray[np.integer], relative_validity: float | None
) -> dict[str, float]:
    """Figures of one grouping: ``outlier_share``, ``silhouette`` and ``relative_validity``, where defined.

    Parameters
    ----------
    reduced, labels
        As in `silhouette`.
    relative_validity
        HDBSCAN's of its fit, None where it has none.

    Examples
    --------
    >>> cluster_metrics(np.zeros((2, 1)), np.array([-1, -1]), None)
    {'outlier_share': 1.0}
    """
    found = {
        "outlier_share": outlier_share(labels),
        "silhouette": silhouette(reduced, labels),
        "relative_validity": float("nan") if relative_validity is None else relative_validity,
    }
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def coherence(shown: Iterable[npt.ArrayLike], word_vectors: npt.NDArray[np.float32]) -> float:
    """Mean over concepts of the mean cosine between the words that a label shows.

    Parameters
    ----------
    shown
        Indices of each concept's shown words: rows of a matrix, or of unequal lengths.
    word_vectors
        Unit rows, shape (w, d).

    Returns
    -------
    float
        -1..1; NaN when no concept shows two words.

    References
    ----------
    R. Ding, R. Nallapati, B. Xiang (2018). Coherence-Aware Neural Topic Modeling: topic coherence by the cosine of
    word vectors.

    Examples
    --------
    >>> round(coherence([[0, 1], [2]], np.array([[1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)), 3)
    0.6
    """
    means = []
    for words in shown:
        vectors = word_vectors[np.asarray(words, dtype=np.intp)].astype(np.float64)
        if len(vectors) > 1:
            means.append((vectors @ vectors.T)[np.triu_indices(len(vectors), k=1)].mean())
    return float(np.mean(means)) if means else float("nan")


def diversity(shown: Iterable[npt.ArrayLike]) -> float:
    """Share of distinct words among all that the labels show (topic diversity; Dieng, Ruiz, Blei 2020).

    Parameters
    ----------
    shown
        Indices of each concept's shown words: rows of a matrix, or of unequal lengths.

    Returns
    -------
    float
        Above 0, at most 1; NaN when nothing is shown.

    References
    ----------
    A. Dieng, F. Ruiz, D. Blei (2020). Topic Modeling in Embedding Spaces. TACL 8.

    Examples
    --------
    >>> diversity([[0, 1], [1, 2]])
    0.75
    """
    words = np.concatenate([np.zeros(0, dtype=np.intp), *(np.asarray(w, dtype=np.intp) for w in shown)])
    return len(np.unique(words)) / len(words) if len(words) else float("nan")


def stability(
    before: npt.NDArray[np.integer], after: npt.NDArray[np.integer], min_jaccard: float = 0.3
) -> dict[str, float]:
    """How much of one assignment lasts in the next.

    Parameters
    ----------
    before, after
        Concept of each survivor (an image of both states) by its lasting id, -1 for an outlier; shape (s,).
    min_jaccard
        Least Jaccard index of a pair of concepts in the best relabelling.

    Returns
    -------
    dict
        ``ids_kept``: share of the survivors, in a concept both times, that kept their id. ``ids_kept_bound``: the
        same under the best one-to-one relabelling among pairs of `min_jaccard`. ``ari``: adjusted Rand index of the
        two assignments, outliers being one group. ``moved``: survivors of another concept than before. NaN where
        there is no survivor.

    References
    ----------
    L. Hubert, P. Arabie (1985). Comparing partitions. Journal of Classification 2.

    Examples
    --------
    >>> stability(np.array([4, 4, 6, 6, -1]), np.array([4, 4, 7, 7, -1]))
    {'ids_kept': 0.5, 'ids_kept_bound': 1.0, 'ari': 1.0, 'moved': 2.0}
    """
    from sklearn.metrics import adjusted_rand_score

    found = overlap(before, after)
    rows, columns = best_relabelling(found, min_jaccard)
    both = (before >= 0) & (after >= 0)
    n_both = np.count_nonzero(both) or float("nan")
    return {
        "ids_kept": float(np.count_nonzero(both & (before == after)) / n_both),
        "ids_kept_bound": float(found.shared[rows, columns].sum() / n_both),
        "ari": float(adjusted_rand_score(before, after)) if len(before) else float("nan"),
        "moved": float(np.count_nonzero(before != after)),
    }
