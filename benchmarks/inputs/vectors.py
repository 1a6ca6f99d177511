"""Vectors shaped like CLIP's, whose clusters and names are known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concept_lib.storage import write_file

DIM = 512
CONE = 0.5  # mean cosine of two images that have nothing to do with each other
OUTLIERS = 0.3  # share
INTRINSIC = 20  # dimensions of a cluster
FAMILY = 7  # clusters whose centres lie near to each other, on the average
SIBLING = 0.3  # how far a centre strays from that of its family
SPREAD = 0.75  # share of a vector's square, the cone's apart, that is its own and not its cluster's
STRAY = 0.36  # the same, of the background
LEAST = 40  # images of a cluster on the average: above HDBSCAN's 30
MOST_CLUSTERS = 300
BLOCK = 50_000  # rows made at once


@dataclass(frozen=True, slots=True)
class Truth:
    """What the vectors are made of.

    Parameters
    ----------
    cone
        Direction that all images share, unit, (512,).
    centres
        Unit, at right angles to the cone, (k, 512).
    frames
        Own dimensions of each cluster, unit rows, (k, 20, 512).
    shares
        Share of each cluster of all images, (k,).
    """

    cone: np.ndarray
    centres: np.ndarray
    frames: np.ndarray
    shares: np.ndarray


def n_clusters(n: int) -> int:
    """Clusters among n images.

    Examples
    --------
    >>> n_clusters(100), n_clusters(2_500), n_clusters(25_000), n_clusters(1_000_000)
    (2, 29, 291, 300)
    """
    return int(min(MOST_CLUSTERS, max(2, n * (1 - OUTLIERS) / (1.5 * LEAST))))


def draw_truth(k: int, seed: int = 0) -> Truth:
    """Directions of k clusters; sizes differ as a log-normal of 0.5, none below half the mean."""
    rng = np.random.default_rng([seed, k])
    cone = _unit(rng.standard_normal(DIM))
    n_families = max(2, k // FAMILY)
    families = _unit(rng.standard_normal((n_families, DIM)))[rng.integers(0, n_families, k)]
    centres = families + SIBLING * _unit(rng.standard_normal((k, DIM)))
    centres = _unit(centres - (centres @ cone)[:, None] * cone)
    frames = _unit(rng.standard_normal((k, INTRINSIC, DIM)))
    weights = np.maximum(rng.lognormal(0, 0.5, k), 0.6)
    return Truth(cone, centres, frames, weights / weights.sum())


def draw_images(truth: Truth, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors, float32 (n, 512), and the cluster of each, int32 (n,), -1 for the background.

    The first rows of a longer draw are those of a shorter one but for the last block.
    """
    vectors, labels = np.empty((n, DIM), np.float32), np.empty(n, np.int32)
    for number, start in enumerate(range(0, n, BLOCK)):
        rows = slice(start, min(start + BLOCK, n))
        vectors[rows], labels[rows] = _block(
            truth, rows.stop - rows.start, np.random.default_rng([seed, number])
        )
    return vectors, labels


def draw_words(truth: Truth, n: int, seed: int = 0) -> np.ndarray:
    """Unit vectors of n words, float32 (n, 512); word i is the right name of cluster i, the others of none."""
    rng = np.random.default_rng([seed, n])
    k = len(truth.centres)
    own = rng.standard_normal((n, DIM))
    span = np.linalg.qr(np.vstack([truth.centres, truth.cone]).T)[0]
    own[:k] -= own[:k] @ span @ span.T  # chance says nothing of a name's cluster
    meant = np.concatenate([truth.centres, _unit(rng.standard_normal((max(n - k, 0), DIM)))])[:n]
    strength = np.where(np.arange(n) < k, 0.7, 0.2)[:, None]
    return np.asarray(_unit(0.25 * truth.cone + strength * meant + 0.7 * _unit(own)), np.float32)


def write_vectors(folder: Path, n: int) -> Path:
    """Write ``vectors_<n>.npy`` and ``truth_<n>.npy``; what is there stays.

    Returns
    -------
    Path
        Of the vectors.
    """
    vectors = folder / f"vectors_{n}.npy"
    if not (vectors.is_file() and truth_of(vectors).is_file()):
        drawn = draw_images(draw_truth(n_clusters(n)), n)
        for path, array in zip((vectors, truth_of(vectors)), drawn, strict=True):
            _save(path, array)
    return vectors


def write_words(folder: Path, n_images: int, n: int) -> Path:
    """Write ``words_<n_images>_<n>.npy``: the words beside the images of `write_vectors`."""
    path = folder / f"words_{n_images}_{n}.npy"
    if not path.is_file():
        _save(path, draw_words(draw_truth(n_clusters(n_images)), n))
    return path


def write_concepts(folder: Path, k: int, n_words: int) -> tuple[Path, Path]:
    """Write the vectors of k concepts and of words, of which word i names concept i; what is there stays.

    Returns
    -------
    tuple of Path
        Of the concepts and of the words.
    """
    concepts, words = folder / f"concepts_{k}.npy", folder / f"names_{k}_{n_words}.npy"
    if not (concepts.is_file() and words.is_file()):
        truth = draw_truth(k)
        _save(concepts, np.asarray(_unit(truth.cone + truth.centres), np.float32))
        _save(words, draw_words(truth, n_words))
    return concepts, words


def truth_of(vectors: Path) -> Path:
    """Where the true clusters of a file of `write_vectors` are."""
    return vectors.with_name(vectors.name.replace("vectors", "truth"))


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, lambda file: np.save(file, array, allow_pickle=False), durable=False)


def _block(truth: Truth, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.choice(len(truth.shares), n, p=truth.shares).astype(np.int32)
    labels[rng.random(n) < OUTLIERS] = -1
    own = rng.standard_normal((n, DIM)).astype(np.float32)
    for cluster in np.unique(labels[labels >= 0]):
        rows = np.flatnonzero(labels == cluster)
        own[rows] = rng.standard_normal((len(rows), INTRINSIC)) @ truth.frames[cluster]
    centres = truth.centres[labels]
    stray = labels < 0
    centres[stray] = _between(truth.centres, int(stray.sum()), rng)
    spread = np.where(stray, STRAY, SPREAD)[:, None]
    meant = np.sqrt(1 - spread) * centres + np.sqrt(spread) * _unit(own)
    meant = _unit(meant - (meant @ truth.cone)[:, None] * truth.cone)
    vectors = _unit(np.sqrt(CONE) * truth.cone + np.sqrt(1 - CONE) * meant)
    return vectors.astype(np.float32), labels


def _between(centres: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors, (n, 512), each somewhere between three centres: the background has no home."""
    weights = rng.dirichlet(np.ones(3), n)
    return _unit(np.einsum("ni,nid->nd", weights, centres[rng.integers(0, len(centres), (n, 3))]))


def _unit(rows: np.ndarray) -> np.ndarray:
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return unit
