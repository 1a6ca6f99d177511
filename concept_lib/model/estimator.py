"""The library's face: ConceptModel, with the names and the order of arguments of the seed, Concept 0.2."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, ClusterMixin  # noqa: TID253 - this module is imported by who uses it
from sklearn.exceptions import NotFittedError  # noqa: TID253

from concept_lib.images.given import GivenImage, as_images
from concept_lib.model.fitting import Parts, fitted_state, given_vectors, name_state, placed
from concept_lib.model.state import ConceptState, read_state, write_state

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from PIL import Image

    from concept_lib.embedding.towers import Towers

Images: TypeAlias = Sequence[GivenImage]
Embeddings: TypeAlias = np.ndarray | str | os.PathLike[str]


class ConceptModel(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Topic modelling on images: groups of alike images, each with a collage and, given words, a name.

    Models are loaded when they are first needed, never by the constructor. Images that cannot be used get concept -1
    and a warning; the others keep their positions.

    Parameters
    ----------
    min_concept_size
        Fewest images of a concept, at least 2. A collection with fewer than twice as many is searched for groups of a
        quarter of it.
    diversity
        Of the exemplars, 0..1: 0 takes the closest ones, 1 the most different from each other (MMR).
    embedding_model
        Name or folder of a sentence-transformers CLIP model, "demo", a loaded SentenceTransformer, or a pair of these:
        one for images and one for words.
    vectorizer_model
        Takes words out of the docs, as scikit-learn's CountVectorizer does. Without one, each doc is a word or phrase.
    umap_model
        Anything with ``fit_transform``, in place of UMAP. It is fitted as it is, not a copy of it.
    hdbscan_model
        Anything with ``fit`` and ``labels_`` (and ``probabilities_``, if it has them), in place of HDBSCAN.
    ctfidf
        Name concepts by the words that set them apart (c-TF-IDF) instead of the nearest ones.
    text_model
        Another model for the words, of the same space.
    random_state
        Seed of UMAP.
    n_exemplars
        Images in a collage, at most.
    top_n_words
        Words of a concept.
    device
        "auto", "cpu", "cuda" or "mps".
    progress
        Whether to show bars on stderr.

    References
    ----------
    M. Grootendorst (2021). Concept: topic modelling on images. https://github.com/MaartenGr/Concept

    Examples
    --------
    >>> from concept_lib.images.sample import render
    >>> images = [render(kind, seed, 96) for kind in ("beach", "pizza") for seed in range(12)]
    >>> model = ConceptModel(embedding_model="demo", progress=False)
    >>> concepts = model.fit_transform(images, docs=["beach", "pizza", "train"])
    >>> model.topics[concepts[0]].split(", ")[0]
    'beach'
    >>> model.find_concepts("pizza", top_n=1)[0][0] == concepts[-1]
    True
    """

    def __init__(
        self,
        min_concept_size: int = 30,
        diversity: float = 0.3,
        embedding_model: Any = "clip-ViT-B-32",  # noqa: ANN401 - a name, a model or a pair
        vectorizer_model: Any = None,  # noqa: ANN401 - what the user works with
        umap_model: Any = None,  # noqa: ANN401
        hdbscan_model: Any = None,  # noqa: ANN401
        ctfidf: bool = False,
        *,
        text_model: Any = None,  # noqa: ANN401
        random_state: int = 42,
        n_exemplars: int = 8,
        top_n_words: int = 5,
        device: str = "auto",
        progress: bool = True,
    ) -> None:
        self.min_concept_size = min_concept_size
        self.diversity = diversity
        self.embedding_model = embedding_model
        self.vectorizer_model = vectorizer_model
        self.umap_model = umap_model
        self.hdbscan_model = hdbscan_model
        self.ctfidf = ctfidf
        self.text_model = text_model
        self.random_state = random_state
        self.n_exemplars = n_exemplars
        self.top_n_words = top_n_words
        self.device = device
        self.progress = progress

    def fit(
        self,
        images: Images,
        docs: Sequence[str] | None = None,
        image_names: Sequence[str] | None = None,
        image_embeddings: Embeddings | None = None,
    ) -> Self:
        """Find the concepts; see `fit_transform`."""
        self.fit_transform(images, docs, image_names, image_embeddings)
        return self

    def fit_transform(
        self,
        images: Images,
        docs: Sequence[str] | None = None,
        image_names: Sequence[str] | None = None,
        image_embeddings: Embeddings | None = None,
    ) -> list[int]:
        """Find the concepts of a collection.

        Parameters
        ----------
        images
            Paths, Pillow images, or arrays; one array of shape (n, h, w, channels) holds n of them.
        docs
            Words or phrases that may name a concept.
        image_names
            Of the images; by default their paths, or their positions.
        image_embeddings
            Vectors made elsewhere, shape (n, d) in the order of the images; or a file of names and vectors (``.npz``,
            Parquet, ``.pkl``), which are matched with the names of the images.

        Returns
        -------
        list of int
            Concept of each image, -1 for outliers and for images that cannot be used.
        """
        parts, images = self._parts(), as_images(images)
        given = given_vectors(parts, images, image_names, image_embeddings)
        _warn(given.names, given.reasons)
        self._state = fitted_state(parts, images, given)
        if len(given.usable) and not len(self._state.concept_ids):
            warnings.warn(
                f"no concepts in {len(given.usable):,} images: no group of alike ones is large enough; try a "
                f"min_concept_size below {self.min_concept_size}",
                stacklevel=2,
            )
        if docs is not None:
            name_state(parts, self._state, docs)
        self._has_words = docs is not None
        return [int(concept) for concept in self._state.concepts]

    def fit_predict(self, X: Images, y: None = None, **options: Any) -> np.ndarray:  # noqa: ANN401, ARG002
        """As `fit_transform`, in the manner of scikit-learn's clusterers."""
        return np.array(self.fit_transform(X, **options))

    def transform(self, images: Images | GivenImage, image_embeddings: np.ndarray | None = None) -> list[int]:
        """Concepts of new images, by a weighted vote of their nearest neighbours; nothing is learnt.

        Parameters
        ----------
        images
            As in `fit_transform`; a single one is a collection of one.
        image_embeddings
            Their vectors, shape (n, d), where they were made elsewhere.

        Returns
        -------
        list of int
            Concept of each, -1 for outliers and for images that cannot be used.
        """
        state = self._fitted()
        images = as_images(images)
        given = given_vectors(self._parts(), images, None, image_embeddings)
        _warn(given.names, given.reasons)
        return [int(concept) for concept in placed(state, given)]

    predict = transform

    def find_concepts(self, search_term: str, top_n: int = 5) -> list[tuple[int, float]]:
        """Concepts nearest to a text, with their cosines, best first."""
        state = self._fitted()
        if not len(state.concept_ids):
            return []
        [vector] = self._towers().encode_texts([search_term])
        cosines = state.concept_vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:top_n]
        return [(int(state.concept_ids[row]), float(cosines[row])) for row in best]

    def visualize_concepts(
        self, top_n: int = 9, concepts: Sequence[int] | None = None, figsize: tuple[float, float] = (20, 15)
    ) -> Figure:
        """Collages of the largest concepts, or of those that are named, in one figure.

        Parameters
        ----------
        top_n
            How many, where `concepts` is not given.
        concepts
            Numbers of concepts, in the order in which they are shown.
        figsize
            Width and height, inches.
        """
        from concept_lib.model.views import concept_figure

        return concept_figure(self._fitted(), top_n, concepts, figsize)

    @property
    def frequency(self) -> pd.DataFrame:
        """Images of each concept, largest first."""
        from concept_lib.model.views import frequency

        return frequency(self._fitted())

    @property
    def topics(self) -> dict[int, str] | None:
        """Best words of each concept, best first; None without docs."""
        state = self._fitted()
        if not self._has_words:
            return None
        return {concept: ", ".join(word for word, _ in found) for concept, found in state.words.items()}

    @property
    def cluster_labels(self) -> list[int]:
        """The numbers of the concepts, and -1 where there are outliers."""
        return sorted({int(concept) for concept in self._fitted().concepts})

    @property
    def cluster_embeddings(self) -> np.ndarray:
        """Unit vector of each concept, float32 (k, d)."""
        return self._fitted().concept_vectors

    @property
    def cluster_images(self) -> dict[int, Image.Image]:
        """Collage of each concept."""
        return self._fitted().collages

    @property
    def labels_(self) -> np.ndarray:
        """Concept of each image, int32 (n,): what scikit-learn calls it."""
        return self._fitted().concepts

    def get_concept_info(self) -> pd.DataFrame:
        """A row a concept, largest first: number, label, images, confidence of the label, words, exemplars."""
        from concept_lib.model.views import concept_info

        return concept_info(self._fitted())

    def get_image_info(self) -> pd.DataFrame:
        """A row an image, in the order given: name, concept, label, probability, exemplar's rank, problem."""
        from concept_lib.model.views import image_info

        return image_info(self._fitted())

    def concept_images(self, concept: int) -> list[str]:
        """Names of the images of a concept, exemplars first, then by probability."""
        state = self._fitted()
        return [state.names[row] for row in state.members(concept)]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Keep the concepts in a folder, of safetensors, Parquet, JSON and JPEG, without the images themselves.

        Models that are objects (UMAP, HDBSCAN, a vectorizer, a SentenceTransformer) are not kept: `transform` needs
        none of the first three, and `load` takes the last.
        """
        params = {name: value for name, value in self.get_params(deep=False).items() if _is_plain(value)}
        write_state(Path(path), self._fitted(), params | {"has_words": self._has_words})

    @classmethod
    def load(cls, path: str | os.PathLike[str], **params: Any) -> Self:  # noqa: ANN401
        """Read what `save` kept; parameters that are given, such as `embedding_model`, replace the kept ones.

        Raises
        ------
        ConceptError
            When there is no model, it is damaged, or a newer version wrote it.
        """
        state, kept = read_state(Path(path))
        has_words = bool(kept.pop("has_words", False))
        model = cls(**(kept | params))
        model._state, model._has_words = state, has_words
        return model

    @classmethod
    def from_database(cls, path: str | os.PathLike[str], **params: Any) -> Self:  # noqa: ANN401
        """Read the concepts that a refresh published, by the path of its ``concepts.duckdb``."""
        from concept_lib.model.published import published_model

        state, kept = published_model(Path(path))
        model = cls(**(kept | params))
        model._state, model._has_words = state, bool(state.words)
        return model

    def _repr_html_(self) -> str:
        from concept_lib.model.views import concept_table_html

        return concept_table_html(repr(self), getattr(self, "_state", None))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:  # noqa: ANN401
        """What notebooks show; scikit-learn would show the parameters alone."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def _fitted(self) -> ConceptState:
        state: ConceptState | None = getattr(self, "_state", None)
        if state is None:
            raise NotFittedError("this ConceptModel has no concepts yet; call fit or fit_transform first")
        return state

    def _parts(self) -> Parts:
        return Parts(
            towers=self._towers,
            vectorizer=self.vectorizer_model,
            umap=self.umap_model,
            hdbscan=self.hdbscan_model,
            min_concept_size=self.min_concept_size,
            diversity=self.diversity,
            n_exemplars=self.n_exemplars,
            n_words=self.top_n_words,
            method="ctfidf" if self.ctfidf else "cosine",
            seed=self.random_state,
            progress=self.progress,
        )

    def _towers(self) -> Towers:
        """The encoder, loaded once for these parameters."""
        from concept_lib.embedding.encoder import load_towers

        asked = (self.embedding_model, self.text_model, self.device)
        kept = getattr(self, "_loaded", None)
        if kept is None or kept[0] != asked:
            loaded = load_towers(self.embedding_model, text_model=self.text_model, device=self.device)
            self._loaded = (asked, loaded)
        towers: Towers = self._loaded[1]
        return towers


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _warn(names: Sequence[str], reasons: dict[int, str]) -> None:
    """Say which images cannot be used, the first few by name."""
    if reasons:
        told = "; ".join(f"{names[row]}: {why}" for row, why in list(reasons.items())[:3])
        more = f"; and {len(reasons) - 3:,} more" if len(reasons) > 3 else ""
        warnings.warn(
            f"{len(reasons):,} of {len(names):,} images cannot be used and get concept -1 ({told}{more})",
            stacklevel=3,
        )
