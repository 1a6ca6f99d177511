"""Figures on the validation pictures, and the label confidence that they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concept_lib.embedding.demo_model.augment import plain_views
from concept_lib.embedding.demo_model.data import Pictures
from concept_lib.embedding.demo_model.model import image_features, text_features
from concept_lib.embedding.demo_model.recipe import Network, Tokenizer
from concept_lib.embedding.demo_model.text import tokenize

GROUP = 8
"""Pictures in a centroid, as many as a concept has exemplars."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How well words are found for pictures.

    Attributes
    ----------
    rows
        One a word: word, photos, renders, share of pictures whose first noun is right, share with the right
        noun among the first five (NaN where there is no picture), and the commonest wrong noun (or empty).
    """

    rows: list[tuple[str, int, int, float, float, str]]
    photo_top1: float
    photo_top5: float
    render_top1: float


def embed_pictures(model: Network, pictures: Pictures) -> np.ndarray:
    """Unit image vectors, float32 (n, dim), of the pictures as they are served."""
    import torch

    size = model.config.vision_config.image_size
    parts = []
    with torch.no_grad():
        for start in range(0, len(pictures), 128):
            rows = np.arange(start, min(start + 128, len(pictures)))
            parts.append(image_features(model, plain_views(pictures, rows, image_size=size)).numpy())
    return _unit(np.concatenate(parts))


def embed_words(model: Network, tokenizer: Tokenizer, words: Sequence[str]) -> np.ndarray:
    """Unit text vectors, float32 (n, dim)."""
    import torch

    length = model.config.text_config.max_position_embeddings
    parts = []
    with torch.no_grad():
        for start in range(0, len(words), 512):
            ids, mask = tokenize(tokenizer, words[start : start + 512], length)
            parts.append(text_features(model, ids, mask).numpy())
    return _unit(np.concatenate(parts))


def naming_figures(
    image_vectors: np.ndarray, pictures: Pictures, nouns: Sequence[str], noun_vectors: np.ndarray
) -> Figures:
    """Zero-shot naming among all nouns; every label must be one of them."""
    similarity = image_vectors @ noun_vectors.T
    place = {noun: i for i, noun in enumerate(nouns)}
    truth = np.array([place[word] for word in pictures.words])[pictures.labels]
    own = similarity[np.arange(len(truth)), truth]
    rank = (similarity > own[:, None]).sum(axis=1)
    first = similarity.argmax(axis=1)
    rows = []
    for code, word in enumerate(pictures.words):
        members = pictures.labels == code
        if not members.any():
            rows.append((word, 0, 0, float("nan"), float("nan"), ""))
            continue
        wrong = Counter(nouns[i] for i in first[members & (rank > 0)])
        n_rendered = int(pictures.rendered[members].sum())
        rows.append(
            (
                word,
                int(members.sum()) - n_rendered,
                n_rendered,
                float(np.mean(rank[members] == 0)),
                float(np.mean(rank[members] < 5)),
                wrong.most_common(1)[0][0] if wrong else "",
            )
        )
    photo = ~pictures.rendered
    return Figures(
        rows,
        float(np.mean(rank[photo] == 0)),
        float(np.mean(rank[photo] < 5)),
        float(np.mean(rank[pictures.rendered] == 0)) if pictures.rendered.any() else float("nan"),
    )


def centroid_cosines(
    image_vectors: np.ndarray, labels: np.ndarray, noun_vectors: np.ndarray, seed: int, *, mixed: bool = False
) -> np.ndarray:
    """Best cosine over all nouns of centroids of `GROUP` pictures, four for each label.

    Parameters
    ----------
    mixed
        Take the pictures of a centroid from as many labels, not from one: a concept of nothing in particular.

    Returns
    -------
    np.ndarray
        float32 (4 * number of labels,).
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == code) for code in np.unique(labels)]
    centroids = []
    for own in members * 4:
        drawn = [members[i] for i in rng.permutation(len(members))[:GROUP]] if mixed else [own] * GROUP
        centroids.append(image_vectors[[rng.choice(rows) for rows in drawn]].mean(axis=0))
    best: np.ndarray = (_unit(np.array(centroids)) @ noun_vectors.T).max(axis=1)
    return best


def calibrate(known: np.ndarray, foreign: np.ndarray) -> dict[str, float]:
    """Midpoint and scale of the logistic that tells the two groups of cosines apart (Platt 1999).

    The midpoint is where the shares wrongly refused and wrongly named are equal; the scale puts the median of
    the known at a confidence of 0.95.

    Examples
    --------
    >>> calibrate(np.array([0.7, 0.8, 0.9]), np.array([0.1, 0.2, 0.3]))
    {'midpoint': 0.5, 'scale': 0.1019}
    """
    cuts = np.unique(np.concatenate([known, foreign]))
    cuts = (cuts[1:] + cuts[:-1]) / 2
    wrong = [max(np.mean(known < cut), np.mean(foreign >= cut)) for cut in cuts]
    midpoint = float(np.median(cuts[np.isclose(wrong, min(wrong))]))
    scale = max((float(np.median(known)) - midpoint) / np.log(0.95 / 0.05), 0.01)
    return {"midpoint": round(midpoint, 4), "scale": round(float(scale), 4)}


def _unit(vectors: np.ndarray) -> np.ndarray:
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed.astype(np.float32)
