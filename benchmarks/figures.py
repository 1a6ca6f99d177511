"""Figures of merit: unit vectors, words and true kinds in, numbers out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concept_lib.modeling.cluster import cluster
from concept_lib.modeling.neighbours import nearest_neighbors
from concept_lib.modeling.quality import outlier_share
from concept_lib.modeling.reduce import reduce
from concept_lib.settings import Settings

SYNONYMS: tuple[frozenset[str], ...] = (
    frozenset({"orange", "satsumas"}),
    frozenset({"peach", "nectarine"}),
    frozenset({"oat milk", "oatghurt"}),
    frozenset({"t-shirt", "polo", "undershirt"}),
    frozenset({"sweater", "shirt"}),
    frozenset({"jacket", "blazer"}),
)
"""Kinds that may bear each other's names; fixed before the first measurement."""

MIN_CLUSTER_SIZE = 15
KMEANS_SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class JudgedConcept:
    """One concept beside the true kinds of its images.

    Attributes
    ----------
    n_images
        Images with a known kind.
    kind
        The majority kind; of equally frequent ones, the first by name.
    purity
        Share of the images that are of that kind.
    label
        As the product shows it.
    right
        Whether its first word is the majority kind or a synonym of it; never for an unnamed concept.
    """

    n_images: int
    kind: str
    purity: float
    label: str
    right: bool


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to length 1, float32; a row of zeros stays as it is."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)


def ranks(vectors: np.ndarray, words: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Place of each row's true word among all words by cosine, 0 for the nearest.

    A tie counts against the true word, so that vectors which tell nothing apart score nothing.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    words
        Unit rows, shape (w, d).
    truth
        Row in `words` of each vector's true word, shape (n,).

    Examples
    --------
    >>> ranks(np.array([[0.6, 0.8], [0.6, 0.8]]), np.eye(2), np.array([0, 1])).tolist()
    [1, 0]
    """
    similarity = vectors @ words.T
    own = similarity[np.arange(len(truth)), truth]
    place: np.ndarray = (similarity >= own[:, None]).sum(axis=1) - 1
    return place


def naming_figures(
    vectors: np.ndarray, kinds: Sequence[str], nouns: Sequence[str], noun_vectors: np.ndarray
) -> dict[str, float]:
    """Zero-shot naming of images and of the kinds' centroids.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    kinds
        True kind of each row; each is one of `nouns`.
    nouns
        Words that may name an image.
    noun_vectors
        Unit rows, shape (w, d), in the order of `nouns`.
    """
    names, codes = np.unique(np.array(kinds), return_inverse=True)
    place = {noun: row for row, noun in enumerate(nouns)}
    rows = np.array([place[name] for name in names.tolist()])
    among_kinds = ranks(vectors, noun_vectors[rows], codes)
    among_nouns = ranks(vectors, noun_vectors, rows[codes])
    centroids = unit(np.array([vectors[codes == code].mean(axis=0) for code in range(len(names))]))
    return {
        "kinds_top1": float(np.mean(among_kinds < 1)),
        "kinds_top5": float(np.mean(among_kinds < 5)),
        "nouns_top1": float(np.mean(among_nouns < 1)),
        "nouns_top5": float(np.mean(among_nouns < 5)),
        "centroids": float(np.mean(ranks(centroids, noun_vectors, rows) < 1)),
    }


def nearest_neighbour_accuracy(vectors: np.ndarray, kinds: Sequence[str]) -> float:
    """Share of rows whose nearest other row by cosine is of their kind; equally near ones share the vote.

    Examples
    --------
    >>> nearest_neighbour_accuracy(np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]]), ["a", "a", "b", "a"])
    0.5
    """
    names = np.array(kinds)
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = similarity == similarity.max(axis=1, keepdims=True)
    same = nearest & (names[:, None] == names[None, :])
    return float(np.mean(same.sum(axis=1) / nearest.sum(axis=1)))


def grouping_figures(vectors: np.ndarray, kinds: Sequence[str]) -> dict[str, float]:
    """How far groups of near vectors agree with the kinds.

    k-means knows the number of kinds. UMAP and HDBSCAN are the product's own, by its default settings but for the
    least size of a cluster; its outliers count as one group more.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score

    n_kinds = len(set(kinds))
    means = [KMeans(n_kinds, n_init=10, random_state=seed).fit_predict(vectors) for seed in KMEANS_SEEDS]
    settings = Settings()
    reduction = settings.reduction
    reduced = reduce(
        vectors,
        n_neighbors=reduction.n_neighbors,
        n_components=reduction.n_components,
        min_dist=reduction.min_dist,
        seed=reduction.seed,
        neighbors=nearest_neighbors(vectors, reduction.n_neighbors),
    )
    found = cluster(reduced, min_concept_size=MIN_CLUSTER_SIZE, min_samples=settings.clustering.min_samples)
    return {
        "kmeans": float(np.mean([adjusted_mutual_info_score(kinds, labels) for labels in means])),
        "neighbour": nearest_neighbour_accuracy(vectors, kinds),
        "hdbscan": float(adjusted_mutual_info_score(kinds, found.labels)),
        "hdbscan_outliers": outlier_share(found.labels),
        "hdbscan_clusters": float(found.n_clusters),
    }


def names_kind(word: str, kind: str) -> bool:
    """Whether a word is a kind's name or that of a kind listed as its synonym.

    Examples
    --------
    >>> names_kind("polo", "undershirt"), names_kind("shirt", "t-shirt")
    (True, False)
    """
    return word == kind or any({word, kind} <= group for group in SYNONYMS)


def shown_word(label: str) -> str:
    """First word of a label.

    Examples
    --------
    >>> shown_word("oat milk, milk")
    'oat milk'
    """
    return label.split(", ", maxsplit=1)[0]


def judge_concept(label: str, kinds: Sequence[str], *, named: bool) -> JudgedConcept:
    """Set a concept's label beside the true kinds of its images, of which there is at least one."""
    counts = Counter(kinds)
    kind = min(counts, key=lambda name: (-counts[name], name))
    right = named and names_kind(shown_word(label), kind)
    return JudgedConcept(len(kinds), kind, counts[kind] / len(kinds), label, right)


def rightly_named_kinds(
    kinds: Sequence[str], concepts: Sequence[int], labels: Mapping[int, str]
) -> list[str]:
    """Kinds for which the concept that holds most of their images shows their very name first.

    Parameters
    ----------
    kinds
        True kind of each image.
    concepts
        Concept of each image, -1 for outliers, which no concept holds; of equal ones the lowest id counts.
    labels
        Label of each named concept.
    """
    held: dict[str, Counter[int]] = {}
    for kind, concept in zip(kinds, concepts, strict=True):
        if concept >= 0:
            held.setdefault(kind, Counter())[concept] += 1
    right = []
    for kind, counts in sorted(held.items()):
        home = min(counts, key=lambda concept: (-counts[concept], concept))
        if home in labels and shown_word(labels[home]) == kind:
            right.append(kind)
    return right
