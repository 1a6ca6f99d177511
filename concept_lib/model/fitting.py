"""The rooms joined for a program: images and words in, the state of a ConceptModel out."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from concept_lib.embedding.given import GivenVectors, embed_given
from concept_lib.embedding.precomputed import load_vectors, match_vectors, unit_rows
from concept_lib.embedding.towers import Towers
from concept_lib.errors import ConceptError
from concept_lib.images.decode import DecodePool
from concept_lib.images.given import GivenImage, GivenImages
from concept_lib.model.state import ConceptState
from concept_lib.modeling.assign import assign
from concept_lib.modeling.cluster import Clustering, cluster
from concept_lib.modeling.fit import scaled_size
from concept_lib.modeling.membership import Membership
from concept_lib.modeling.naming import name_concepts
from concept_lib.modeling.portraits import portray
from concept_lib.modeling.reduce import reduce
from concept_lib.modeling.sampling import sampled, spread_clusters, stratified_sample
from concept_lib.pictures.collage import make_collage
from concept_lib.progress import Progress
from concept_lib.settings import Images as ImageLimits
from concept_lib.settings import Reduction
from concept_lib.vocabulary import clean_words

FIT_SAMPLE = Reduction().fit_sample
"""Most images that our UMAP sees; one that the user brings sees all."""
VOTES = Reduction().n_neighbors
"""Nearest fitted images that place another one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a fit works with; see the parameters of `ConceptModel`. `towers` loads the encoder when it is called."""

    towers: Callable[[], Towers]
    vectorizer: Any
    umap: Any
    hdbscan: Any
    min_concept_size: int
    diversity: float
    n_exemplars: int
    n_words: int
    method: Literal["cosine", "ctfidf"]
    seed: int
    progress: bool


@dataclass(frozen=True, slots=True)
class Given:
    """Images by name, with their vectors; `reasons` as in `GivenVectors`."""

    names: list[str]
    vectors: np.ndarray
    reasons: dict[int, str]

    @property
    def usable(self) -> np.ndarray:
        """Positions of the images that have a vector."""
        return np.array([row for row in range(len(self.names)) if row not in self.reasons], np.intp)


def given_vectors(
    parts: Parts,
    images: Sequence[GivenImage],
    names: Sequence[str] | None,
    embeddings: np.ndarray | str | os.PathLike[str] | None,
) -> Given:
    """Embed images, or take the vectors that are given.

    Raises
    ------
    ConceptError
        When names or vectors are not as many as the images.
    """
    called = [_name(row, image) for row, image in enumerate(images)] if names is None else list(names)
    if len(called) != len(images):
        raise ConceptError(f"{len(called)} image_names for {len(images)} images; give one for each")
    if embeddings is None:
        if not len(images):
            return Given([], np.zeros((0, 0), np.float32), {})
        towers = parts.towers()
        with _pool() as pool, bar("embedding the images", parts.progress) as progress:
            found = embed_given(towers, towers.dim, GivenImages(images, pool), progress=progress)
    elif isinstance(embeddings, str | os.PathLike):
        found = _from_file(Path(embeddings), called)
    else:
        found = _checked(np.asarray(embeddings), len(images))
    return Given(called, found.vectors, found.reasons)


def fitted_state(parts: Parts, images: Sequence[GivenImage], given: Given) -> ConceptState:
    """Reduce, cluster, choose exemplars and draw collages.

    Images that have no vector belong to no concept.
    """
    n, rows = len(given.names), given.usable
    labels, shares, fitted = np.full(n, -1, np.int32), np.zeros(n, np.float32), np.zeros(n, bool)
    labels[rows], shares[rows], fitted[rows] = _grouped(parts, given.vectors[rows])
    members = Membership(labels, labels, shares, fitted)
    portraits = portray(given.vectors, members, n_exemplars=parts.n_exemplars, diversity=parts.diversity)
    state = ConceptState(
        names=given.names,
        vectors=given.vectors,
        concepts=labels,
        probabilities=shares,
        ranks=portraits.ranks,
        reasons=given.reasons,
        concept_ids=portraits.concept_ids,
        concept_vectors=portraits.vectors,
        collages={},
    )
    state.collages.update(_collages(parts, images, state))
    return state


def name_state(parts: Parts, state: ConceptState, docs: Sequence[str]) -> None:
    """Give the concepts of a state their words and labels."""
    if isinstance(docs, str):
        raise ConceptError("docs takes a list of words or phrases, not one text")
    words = clean_words(docs)
    if parts.vectorizer is not None:
        parts.vectorizer.fit(docs)
        words = [str(word) for word in parts.vectorizer.get_feature_names_out()]
    if not words or not len(state.concept_ids):
        return
    towers = parts.towers()
    with bar("embedding the words", parts.progress) as progress:
        word_vectors = towers.encode_texts(words, progress=progress)
    place = {int(concept): row for row, concept in enumerate(state.concept_ids)}
    naming = name_concepts(
        state.concept_vectors,
        state.vectors,
        np.array([place.get(int(concept), -1) for concept in state.concepts], np.int32),
        words,
        word_vectors,
        method=parts.method,
        n_words=parts.n_words,
        midpoint=towers.confidence.midpoint,
        scale=towers.confidence.scale,
        hedging=towers.confidence.hedging,
    )
    for concept, row in place.items():
        found = zip(naming.words[parts.method][row], naming.scores[parts.method][row], strict=True)
        state.words[concept] = [(words[word], float(score)) for word, score in found]
        state.labels[concept] = naming.labels[row]
        state.confidences[concept] = float(naming.confidence[row])


def placed(state: ConceptState, given: Given) -> np.ndarray:
    """Concepts of new images, int32, by a vote of their nearest neighbours; -1 for those that have no vector."""
    concepts = np.full(len(given.names), -1, np.int32)
    rows, known = given.usable, state.usable
    if len(rows) and len(known):
        votes = state.vectors[known], state.concepts[known], state.ranks[known]
        concepts[rows] = assign(given.vectors[rows], *votes).concepts
    return concepts


@contextmanager
def bar(what: str, shown: bool) -> Iterator[Progress | None]:
    """A progress bar on stderr, in terminals and notebooks alike."""
    if not shown:
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=what, leave=False) as line:

        def progress(done: int, total: int) -> None:
            line.total = total
            line.update(done - line.n)

        yield progress


def _name(row: int, image: GivenImage) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else str(row)


def _pool() -> DecodePool:
    limits = ImageLimits()
    return DecodePool(
        timeout_s=limits.decode_seconds, max_pixels=limits.max_pixels, max_file_bytes=limits.max_file_bytes
    )


def _from_file(file: Path, names: Sequence[str]) -> GivenVectors:
    """Vectors of a file by the names of the images."""
    matched = match_vectors(*load_vectors(file), {str(row): [name] for row, name in enumerate(names)})
    vectors = np.zeros((len(names), matched.vectors.shape[1]), np.float32)
    vectors[np.array(matched.image_ids, np.intp)] = matched.vectors
    return GivenVectors(vectors, {int(row): "no vector" for row in matched.unmatched})


def _checked(vectors: np.ndarray, n: int) -> GivenVectors:
    if vectors.ndim != 2 or len(vectors) != n or vectors.dtype.kind not in "fiu":
        raise ConceptError(
            f"image_embeddings takes numbers of shape ({n}, d), a row an image; got {vectors.dtype} {vectors.shape}"
        )
    unit, bad = unit_rows(vectors)
    return GivenVectors(unit, {int(row): "its vector is zero or not finite" for row in bad})


def _grouped(parts: Parts, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, int32, strengths of membership, and whether UMAP and HDBSCAN saw the image: all, or a sample of many."""
    n = len(vectors)
    size = FIT_SAMPLE if parts.umap is None else max(1, n)
    rows = stratified_sample(vectors, size, np.random.default_rng(parts.seed).permutation(n))
    if len(rows) == n:
        found = _clusters(parts, vectors, 1.0)
        return found.labels, found.probabilities, np.ones(n, bool)
    sample = sampled(vectors, rows, VOTES)
    found = spread_clusters(_clusters(parts, vectors[rows], sample.share), vectors, sample)
    return found.labels, found.probabilities, sample.mask


def _clusters(parts: Parts, vectors: np.ndarray, share: float) -> Clustering:
    """Clusters of a share of the images, by the user's own models where there are some."""
    if not len(vectors):
        return Clustering(np.zeros(0, np.int32), np.zeros(0, np.float32), float("nan"))
    own = parts.umap is None
    space = reduce(vectors, seed=parts.seed) if own else _host(parts.umap.fit_transform(vectors))
    if parts.hdbscan is None:
        wanted = scaled_size(parts.min_concept_size, share)
        return cluster(space, min_concept_size=_concept_size(wanted, len(vectors)))
    parts.hdbscan.fit(space)
    labels = _host(parts.hdbscan.labels_).astype(np.int32)
    shares = getattr(parts.hdbscan, "probabilities_", None)
    certain = (labels >= 0).astype(np.float32)
    return Clustering(labels, certain if shares is None else _host(shares).astype(np.float32), float("nan"))


def _host(array: Any) -> np.ndarray:  # noqa: ANN401
    """NumPy's array of what may lie on a GPU."""
    return np.asarray(array.get() if hasattr(array, "get") else array)


def _concept_size(wanted: int, n: int) -> int:
    """Fewest images of a concept; a quarter of a collection that is too small for two of the wanted size.

    Examples
    --------
    >>> [_concept_size(30, n) for n in (1000, 60, 59, 20, 1)]
    [30, 30, 14, 5, 2]
    """
    return wanted if n >= 2 * wanted else max(2, n // 4)


def _collages(parts: Parts, images: Sequence[GivenImage], state: ConceptState) -> dict[int, Image.Image]:
    """A picture a concept, of those of its exemplars that can be shown."""
    shown = {int(concept): state.exemplars(int(concept)) for concept in state.concept_ids}
    rows = [row for exemplars in shown.values() for row in exemplars]
    pictures: dict[int, Image.Image] = {}
    with _pool() as pool, bar("making collages", parts.progress) as progress:
        decoded = GivenImages(images, pool).map(
            (b"%d" % row for row in rows), thumbnail=True, pixel_size=None
        )
        for done, (row, found) in enumerate(zip(rows, decoded, strict=True), start=1):
            if found.thumbnail is not None:
                pictures[row] = Image.open(io.BytesIO(found.thumbnail)).convert("RGB")
            if progress:
                progress(done, len(rows))
    blank = Image.new("RGB", (64, 64), "#dddddd")
    return {
        concept: make_collage([pictures[row] for row in exemplars if row in pictures] or [blank])
        for concept, exemplars in shown.items()
    }
