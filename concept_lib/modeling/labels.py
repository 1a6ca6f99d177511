"""Words that name concepts: by cosine and by class-based TF-IDF."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.neighbours import block_rows, top_k

Words = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]


def nearest_words(
    concept_vectors: npt.NDArray[np.float32], word_vectors: npt.NDArray[np.float32], top: int
) -> Words:
    """Words nearest to each concept by cosine.

    Parameters
    ----------
    concept_vectors
        Unit rows, shape (k, d).
    word_vectors
        Unit rows, shape (w, d).
    top
        Words of a concept.

    Returns
    -------
    indices : ndarray of int32, shape (k, min(top, w))
        Best first, ties by index.
    scores : ndarray of float32, same shape
        Cosines.

    Examples
    --------
    >>> indices, scores = nearest_words(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), top=1)
    >>> indices.tolist(), scores.tolist()
    ([[0], [1]], [[1.0], [1.0]])
    """
    shape = (len(concept_vectors), min(top, len(word_vectors)))
    indices, scores = np.empty(shape, dtype=np.int32), np.empty(shape, dtype=np.float32)
    step = block_rows(len(word_vectors))
    for start in range(0, shape[0], step):
        rows = slice(start, start + step)
        cosines = concept_vectors[rows] @ word_vectors.T
        indices[rows] = top_k(cosines, shape[1])
        scores[rows] = np.take_along_axis(cosines, indices[rows], axis=1)
    return indices, scores


def ctfidf_words(
    image_vectors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    word_vectors: npt.NDArray[np.float32],
    n_clusters: int,
    top: int,
    words_per_image: int = 20,
) -> Words:
    """Words that set each cluster apart from the others: class-based TF-IDF (Grootendorst 2022, BERTopic).

    An image's document is its nearest words; a cluster's document is those of all its images. A word's score is its
    share of the cluster's document times log(1 + A / f): A is the mean length of the clusters' documents, f how often
    the word occurs in all of them. Noise does not count.

    Parameters
    ----------
    image_vectors
        Unit rows, shape (n, d).
    labels
        Cluster of each image, shape (n,): 0..n_clusters-1, each with members; -1 for noise.
    word_vectors
        Unit rows, shape (w, d).
    n_clusters
        Number of clusters.
    top
        Words of a cluster.
    words_per_image
        Words of an image's document.

    Returns
    -------
    indices : ndarray of int32, shape (n_clusters, min(top, words_per_image, w))
        Best first, ties by index. A cluster has at least ``words_per_image`` words, so all of these occur in it.
    scores : ndarray of float32, same shape
        Above 0.

    Raises
    ------
    ValueError
        When lengths differ, or labels are not 0..n_clusters-1 with members each.

    References
    ----------
    M. Grootendorst (2022). BERTopic: Neural topic modeling with a class-based TF-IDF procedure. arXiv:2203.05794.

    Examples
    --------
    >>> images = np.array([[1, 0], [0.8, 0.6], [0, 1]], dtype=np.float32)
    >>> words = np.array([[0, 1], [1, 0]], dtype=np.float32)
    >>> ctfidf_words(images, np.array([0, 0, 1]), words, n_clusters=2, top=1, words_per_image=1)[0].tolist()
    [[1], [0]]
    """
    if len(image_vectors) != len(labels):
        raise ValueError(f"lengths differ: {len(image_vectors)} images, {len(labels)} labels")
    members = np.bincount(labels[labels >= 0], minlength=n_clusters)
    if len(members) != n_clusters or not members.all():
        raise ValueError(
            f"labels must be 0..{n_clusters - 1} with members each, got sizes {members.tolist()}"
        )
    n_words = len(word_vectors)
    words_per_image = min(words_per_image, n_words)
    counts = np.zeros((n_clusters, n_words), dtype=np.float32)
    inside = np.flatnonzero(labels >= 0)
    step = block_rows(n_words)
    for start in range(0, len(inside), step):
        rows = inside[start : start + step]
        documents = top_k(image_vectors[rows] @ word_vectors.T, words_per_image)
        np.add.at(counts, (labels[rows, None], documents), 1)
    return _best_ctfidf(counts, min(top, words_per_image))


def word_evidence(
    image_vectors: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    word_vectors: npt.NDArray[np.float32],
    n_clusters: int,
    sharpness: float,
) -> npt.NDArray[np.float32]:
    """How much of what the images of each cluster say is for each word: the mean of their softmaxes over all words.

    A cluster of several things speaks for several words here, where its mean vector may lie nearest to another.

    Parameters
    ----------
    image_vectors
        Unit rows, shape (n, d).
    labels
        Cluster of each image, shape (n,): 0..n_clusters-1; -1 for noise.
    word_vectors
        Unit rows, shape (w, d).
    n_clusters
        Number of clusters.
    sharpness
        By what cosines are multiplied in the softmax.

    Returns
    -------
    ndarray of float32, shape (n_clusters, w)
        The row of a cluster with members sums to 1.

    Examples
    --------
    >>> images = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    >>> word_evidence(images, np.array([0, 0, -1]), np.eye(2, dtype=np.float32), 1, sharpness=50).round(3).tolist()
    [[0.5, 0.5]]
    """
    evidence = np.zeros((n_clusters, len(word_vectors)), dtype=np.float32)
    order = np.argsort(labels, kind="stable")  # the images of a cluster side by side
    inside = order[np.count_nonzero(labels < 0) :]
    step = block_rows(len(word_vectors))
    for start in range(0, len(inside), step):
        rows = inside[start : start + step]
        chances = image_vectors[rows] @ word_vectors.T
        chances -= chances.max(axis=1, keepdims=True)
        chances *= np.float32(sharpness)
        np.exp(chances, out=chances)
        shares = 1 / chances.sum(axis=1)
        clusters, starts = np.unique(labels[rows], return_index=True)
        for cluster, part in zip(clusters, np.split(np.arange(len(rows)), starts[1:]), strict=True):
            evidence[cluster] += shares[part] @ chances[part[0] : part[-1] + 1]
    members = np.bincount(labels[inside], minlength=n_clusters)
    evidence /= np.maximum(members, 1)[:, None].astype(np.float32)
    return evidence


def _best_ctfidf(counts: npt.NDArray[np.float32], top: int) -> Words:
    """Best words of each cluster from how often each word occurs in it, shape (k, w)."""
    lengths = counts.sum(axis=1, dtype=np.float64)
    frequency = counts.sum(axis=0, dtype=np.float64)
    average = lengths.mean() if len(lengths) else 0.0
    # a word that occurs nowhere scores 0 whatever its rarity
    rarity = np.log1p(average / np.maximum(frequency, 1.0))
    scores = (counts / np.maximum(lengths, 1.0)[:, None] * rarity).astype(np.float32)
    indices = top_k(scores, top)
    return indices, np.take_along_axis(scores, indices, axis=1)


def label_confidence(best_cosine: npt.ArrayLike, midpoint: float, scale: float) -> npt.NDArray[np.float64]:
    """How far a label may be trusted: the logistic function of the best word's cosine.

    Parameters
    ----------
    best_cosine
        Cosine of a concept to its nearest word, any shape.
    midpoint
        Cosine that gives 0.5; it differs between models.
    scale
        Cosine above the midpoint that gives 0.73, above 0.

    Returns
    -------
    ndarray of float64
        Within 0..1, growing with the cosine.

    Raises
    ------
    ValueError
        When ``scale`` is not above 0.

    Examples
    --------
    >>> label_confidence([0.20, 0.25, 0.30], midpoint=0.25, scale=0.02).round(3).tolist()
    [0.076, 0.5, 0.924]
    """
    if not scale > 0:
        raise ValueError(f"scale must be above 0, got {scale}")
    # the logistic function by its tanh form, which cannot overflow
    return 0.5 * (1 + np.tanh((np.asarray(best_cosine, dtype=np.float64) - midpoint) / (2 * scale)))
