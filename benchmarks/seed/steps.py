"""The seed's own methods, step by step; runs in its environment, and each step has a twin in `benchmarks.ours`.

Vectors that a step is given stand where the seed would embed; they are float64, as the seed keeps them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.measure import measured, preload
from benchmarks.seed import shims
from benchmarks.worker import Found

WARM_UP = 32  # pictures


class _Given:
    """An encoder of words whose vectors are known."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def encode(self, _words: list[str], **_: object) -> np.ndarray:
        """Vectors of all words, in their order."""
        return self.vectors


class _Words:
    """A vectorizer that takes the words as they are."""

    def fit(self, words: list[str]) -> None:
        """Learn the words."""
        self.words = words

    def get_feature_names(self) -> list[str]:
        """The words."""
        return self.words


def embed(model: str, pictures: list[str], out: str) -> Found:
    """JPEG to vector. Writes the vectors to ``out``."""
    seed = _model(model)
    seed._embed_images(pictures[:WARM_UP])
    found: Found = {}
    with measured(found, "embed"):
        vectors = seed._embed_images(pictures)
    np.save(out, vectors, allow_pickle=False)
    return found


def embed_words(model: str, words: list[str]) -> Found:
    """Words to vectors, as the seed asks for them."""
    seed, found = _model(model), Found()
    with measured(found, "words"):
        seed.embedding_model.encode(words, show_progress_bar=True)
    return found


def fit(vectors: str, out: str) -> Found:
    """UMAP to five dimensions and HDBSCAN; twice, the second time with all code compiled."""
    preload()
    rows, found = np.load(vectors).astype(np.float64), Found()
    for name in ("cold", "warm"):
        with measured(found, name):
            seed = _model()
            labels = _clusters(seed, seed._reduce_dimensionality(rows))
    np.save(out, np.array(labels), allow_pickle=False)
    return found


def cluster(vectors: str, space: str, out: str) -> Found:
    """HDBSCAN on given coordinates, then the exemplars of its clusters where the seed can find eight."""
    seed, found = _model(), Found()
    reduced, rows = np.load(space), np.load(vectors).astype(np.float64)
    with measured(found, "cluster"):
        labels = _clusters(seed, reduced)
    np.save(out, np.array(labels), allow_pickle=False)
    with measured(found, "exemplars"):
        shown = seed._extract_exemplars()
        selected = seed._extract_cluster_embeddings(rows, shown)
        few = [cluster for cluster, images in shown.items() if len(images["Indices"]) < 8]
        for cluster in few:  # the seed would stop here: it takes eight of fewer
            del shown[cluster], selected[cluster]
        seed.cluster_labels = [-1, *shown]
        seed.cluster_embeddings = {number: selected[number].mean(0, keepdims=True) for number in shown}
        seed._extract_exemplar_subset(selected, shown)
    found["failed"] = len(few)
    return found


def collages(pictures: list[list[str]]) -> Found:
    """A picture a concept from the originals of its exemplars."""
    seed, found = _model(), Found()
    images = [path for row in pictures for path in row]
    starts = np.cumsum([0, *map(len, pictures)])
    chosen = {n: list(range(starts[n], starts[n + 1])) for n in range(len(pictures))}
    seed.cluster_labels = [-1, *chosen]
    with measured(found, "collages"):
        seed._cluster_representation(images, chosen)
    return found


def labels(concepts: str, words: str) -> Found:
    """Words nearest to each concept by cosine; ``named`` is the share whose best five hold the true one."""
    centres, names, found = np.load(concepts).astype(np.float64), np.load(words), Found()
    seed = _model(_Given(names), vectorizer_model=_Words())
    seed.cluster_embeddings = [row[None] for row in centres]
    docs = [str(number) for number in range(len(names))]
    with measured(found, "labels"):
        seed._extract_textual_representation(docs)
    found["named"] = float(np.mean([str(n) in text.split(", ") for n, text in seed.topics.items()]))
    return found


def ctfidf(vectors: str, truth: str, words: str) -> Found:
    """Words of each cluster by c-TF-IDF; ``named`` is the share that have the true one among their five."""
    rows, numbers, names = np.load(vectors).astype(np.float64), np.load(truth), np.load(words)
    seed, found = _model(_Given(names)), Found()
    seed.hdbscan_model.labels_ = numbers
    docs = [f"word{number:06d}" for number in range(len(names))]
    with measured(found, "ctfidf"):
        seed._extract_ctfidf_representation(docs, rows)
    found["named"] = float(
        np.mean([docs[n] in text.split(", ") for n, text in seed.topics.items() if n >= 0])
    )
    return found


def _clusters(seed: Any, reduced: np.ndarray) -> list[int]:  # noqa: ANN401 - the seed is untyped
    """Cluster of each row; the seed has found them where it then stops because no image is an outlier."""
    try:
        seed._cluster_embeddings(reduced)
    except KeyError:
        seed.cluster_labels = [-1, *seed.cluster_labels]
    return list(seed.hdbscan_model.labels_)


def _model(encoder: Any = None, **settings: Any) -> Any:  # noqa: ANN401 - the seed is untyped
    """The seed's model, with an encoder that it loads by name or that stands in for one."""
    shims.install()
    import concept._model  # type: ignore[import-not-found]

    if not isinstance(encoder, str):
        concept._model.SentenceTransformer = lambda given: given
    return concept._model.ConceptModel(embedding_model=encoder, **settings)
