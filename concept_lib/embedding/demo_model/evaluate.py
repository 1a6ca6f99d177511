"""Figures on the validation pictures, and the label confidence that they give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from concept_lib.embedding.demo_model.augment import plain_views
from concept_lib.embedding.demo_model.data import Pictures
from concept_lib.embedding.demo_model.model import image_features, text_features
from concept_lib.embedding.demo_model.recipe import Network, Tokenizer
from concept_lib.embedding.demo_model.text import tokenize
from concept_lib.modeling.exemplars import choose_exemplars, concept_vectors
from concept_lib.modeling.labels import word_evidence
from concept_lib.modeling.naming import Hedging, hedged_labels

GROUP = 16
"""Pictures in a stand-in for a concept: enough to choose its exemplars from."""
REFUSED = 0.1
"""Share of concepts of known kinds that may stay unnamed, so that many of unknown kinds do."""
SHARPNESS = 20.0
"""Of the softmax that gives the evidence for words. At 16 the held-out photographs are likeliest; a sharper one tells
better which word a mixed concept speaks for most."""
GUARANTEE = 0.8
"""Share of concepts of known kinds whose shown word must be true, be it a more general one."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How well words are found for pictures.

    Attributes
    ----------
    rows
        One a word: word, photos, renders, share of pictures whose first noun is right, share with the right
        noun among the first five (NaN where there is no picture), and the commonest wrong noun (or empty).
    photo_top1, photo_top5
        Share of all photos with the right noun first, and among the first five, of all nouns.
    render_top1
        Share of all renders with the right noun first.
    centroids_right
        Share of the kinds with three photos or more whose mean vector has the right noun first.
    """

    rows: list[tuple[str, int, int, float, float, str]]
    photo_top1: float
    photo_top5: float
    render_top1: float
    centroids_right: float


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
        _centroids_right(image_vectors[photo], truth[photo], noun_vectors),
    )


def _centroids_right(image_vectors: np.ndarray, truth: np.ndarray, noun_vectors: np.ndarray) -> float:
    kinds = [noun for noun, count in Counter(truth.tolist()).items() if count >= 3]
    first = [int((image_vectors[truth == noun].mean(axis=0) @ noun_vectors.T).argmax()) for noun in kinds]
    return float(np.mean(np.array(first) == kinds)) if kinds else float("nan")


def concept_cosines(
    image_vectors: np.ndarray, labels: np.ndarray, noun_vectors: np.ndarray, seed: int, *, mixed: bool = False
) -> np.ndarray:
    """Best cosine over all nouns of stand-ins for concepts, four for each label.

    A stand-in is made of `GROUP` pictures of one label or fewer, and gets its vector from its exemplars as a
    concept does.

    Parameters
    ----------
    mixed
        Take the pictures from as many labels, not from one: a concept of nothing in particular.

    Returns
    -------
    np.ndarray
        float32 (4 * number of labels,).
    """
    rows, codes = _stand_ins(labels, seed, mixed=mixed)
    vectors = image_vectors[rows]
    exemplars = choose_exemplars(vectors, codes, np.ones(len(codes)))
    best: np.ndarray = (concept_vectors(vectors, exemplars) @ noun_vectors.T).max(axis=1)
    return best


def _stand_ins(labels: np.ndarray, seed: int, *, mixed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all pictures in stand-ins for concepts, and the stand-in of each."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == code) for code in np.unique(labels)]
    groups = []
    for own in members * 4:
        if mixed:
            own = np.array([rng.choice(members[i]) for i in rng.permutation(len(members))[:GROUP]])
        groups.append(rng.permutation(own)[:GROUP])
    return np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def calibrate_hedging(
    image_vectors: np.ndarray,
    kinds: Sequence[str],
    nouns: Sequence[str],
    noun_vectors: np.ndarray,
    covers: Mapping[str, Sequence[str]],
    seed: int,
) -> Hedging:
    """Find the least share of the evidence that makes shown words true often enough (Deng et al. 2012).

    Parameters
    ----------
    image_vectors, kinds
        Of pictures that were held out; kinds with fewer than three of them do not count.
    covers
        Narrower nouns of each general one.
    """
    names, codes = np.unique(np.array(kinds), return_inverse=True)
    counted = np.flatnonzero(np.bincount(codes)[codes] >= 3)
    rows, groups = _stand_ins(codes[counted], seed)
    rows = counted[rows]
    truth = [names[codes[rows[groups == group][0]]] for group in range(groups.max() + 1)]
    evidence = word_evidence(image_vectors[rows], groups, noun_vectors, len(truth), SHARPNESS)
    for share in np.arange(0.05, 0.8, 0.05).round(2).tolist():
        hedging = Hedging(SHARPNESS, share, covers)
        shown = hedged_labels(evidence, nouns, hedging)
        true = [word == kind or kind in covers.get(word, ()) for word, kind in zip(shown, truth, strict=True)]
        if np.mean(true) >= GUARANTEE:
            break
    return hedging


def calibrate(known: np.ndarray) -> dict[str, float]:
    """Midpoint and scale of the logistic that turns a concept's best cosine into a confidence.

    The midpoint refuses the `REFUSED` share of concepts of known kinds that are least sure; the scale puts
    their median at a confidence of 0.95.

    Examples
    --------
    >>> calibrate(np.linspace(0.5, 0.9, 101))
    {'midpoint': 0.54, 'scale': 0.0543}
    """
    midpoint = float(np.quantile(known, REFUSED))
    scale = max((float(np.median(known)) - midpoint) / np.log(0.95 / 0.05), 0.01)
    return {"midpoint": round(midpoint, 4), "scale": round(float(scale), 4)}


def _unit(vectors: np.ndarray) -> np.ndarray:
    normed: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normed.astype(np.float32)
