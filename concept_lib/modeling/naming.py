"""Names of concepts: the nearest words of the vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from concept_lib.modeling.labels import ctfidf_words, label_confidence, nearest_words, word_evidence
from concept_lib.modeling.quality import coherence, diversity

UNNAMED = "unnamed"
SHOWN_SHARE = 0.9
GENERAL_SHARE = 0.6
"""Least share of the evidence that a general noun needs: what it says must hold for most of the images. Three fifths
made the names of kinds left out for the purpose truer than half did, and cost the known ones little."""


@dataclass(frozen=True, slots=True)
class Hedging:
    """When a more general noun is shown than the best one: "fruit" where images speak for pear, lemon and apple.

    Parameters
    ----------
    sharpness
        By what cosines are multiplied in the softmax over all words.
    share
        Least share of the evidence that is for a shown word. A general noun has that of the words it covers too, and
        needs `GENERAL_SHARE` of it or more.
    covers
        Narrower words of each general noun.

    References
    ----------
    J. Deng, J. Krause, A. Berg, L. Fei-Fei (2012). Hedging your bets: Optimizing accuracy-specificity trade-offs in
    large scale visual recognition.
    """

    sharpness: float
    share: float
    covers: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Naming:
    """Words and label of each concept.

    Parameters
    ----------
    words
        For each method, word positions (k, top), int32.
    scores
        For each method, scores (k, top), float32, best first.
    labels
        Shown label of each concept.
    named
        bool (k,): whether the confidence and, where hedged, the evidence sufficed.
    confidence
        float64 (k,), 0 to 1.
    metrics
        ``label_confidence`` (mean), ``label_coherence``, ``label_diversity``; undefined ones are left out.
    """

    words: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    labels: list[str]
    named: np.ndarray
    confidence: np.ndarray
    metrics: dict[str, float]


def shown_label(words: Sequence[str], scores: np.ndarray, n_shown: int) -> str:
    """The best word, and those next to it whose score comes near.

    Parameters
    ----------
    words
        Best first.
    scores
        Their scores, (top,).
    n_shown
        At most so many words.

    Examples
    --------
    >>> shown_label(["beach", "shore", "lamp"], np.array([0.30, 0.29, 0.12]), 3)
    'beach, shore'
    """
    near = [word for word, score in zip(words, scores, strict=True) if score >= SHOWN_SHARE * scores[0]]
    return ", ".join(near[:n_shown] or words[:1])


def hedged_labels(
    evidence: np.ndarray, words: Sequence[str], hedging: Hedging, n_shown: int = 1
) -> list[str]:
    """The most specific label of each concept that enough of the evidence is for; `UNNAMED` where there is none.

    Parameters
    ----------
    evidence
        float32 (k, v): share of each word, see `labels.word_evidence`.
    words
        v words.
    n_shown
        At most so many words of a label that is not general.

    Examples
    --------
    >>> hedging = Hedging(sharpness=16, share=0.5, covers={"fruit": ["pear", "lemon"]})
    >>> evidence = np.array([[0.1, 0.8, 0.1, 0.0], [0.1, 0.3, 0.3, 0.3], [0.0, 0.3, 0.1, 0.6], [0.1, 0.2, 0.2, 0.1]])
    >>> hedged_labels(evidence, ["fruit", "pear", "lemon", "hat"], hedging)
    ['pear', 'fruit', 'hat', 'unnamed']
    """
    place = {word: column for column, word in enumerate(words)}
    covered = {
        noun: [place[word] for word in (noun, *narrower) if word in place]
        for noun, narrower in sorted(hedging.covers.items(), key=lambda item: len(item[1]))
        if noun in place
    }
    least = max(hedging.share, GENERAL_SHARE)
    labels = []
    for row in evidence:
        best = np.argsort(-row, kind="stable")[:n_shown]
        if row[best[0]] >= hedging.share:
            labels.append(shown_label([words[i] for i in best], row[best], n_shown))
            continue
        enough = (noun for noun, columns in covered.items() if row[columns].sum() >= least)
        labels.append(next(enough, UNNAMED))
    return labels


def name_concepts(
    concepts: np.ndarray,
    image_vectors: np.ndarray,
    labels: np.ndarray,
    words: Sequence[str],
    word_vectors: np.ndarray,
    *,
    method: Literal["cosine", "ctfidf"] = "cosine",
    n_words: int = 10,
    n_shown: int = 3,
    min_confidence: float = 0.5,
    midpoint: float,
    scale: float,
    hedging: Hedging | None = None,
) -> Naming:
    """Find the words of each concept by both methods and name it by one.

    Parameters
    ----------
    concepts
        float32 (k, d), unit rows.
    image_vectors
        float32 (n, d), unit rows.
    labels
        int32 (n,): concept of each image as a row of `concepts`, -1 for outliers.
    words
        v words.
    word_vectors
        float32 (v, d), unit rows.
    method
        Whose words make the label.
    n_words
        Words kept for each method.
    n_shown
        Words of a label at most.
    min_confidence
        Below it a concept is unnamed.
    midpoint, scale
        Calibration of the confidence, see `label_confidence`.
    hedging
        Of models that say when to be general; by cosine, labels then follow the evidence of all images.
    """
    found = {
        "cosine": nearest_words(concepts, word_vectors, n_words),
        "ctfidf": ctfidf_words(image_vectors, labels, word_vectors, len(concepts), n_words),
    }
    best = found["cosine"][1][:, 0] if len(concepts) else np.zeros(0)
    confidence = label_confidence(best, midpoint, scale)
    named = confidence >= min_confidence
    indices, scores = found[method]
    if hedging is not None and method == "cosine":
        evidence = word_evidence(image_vectors, labels, word_vectors, len(concepts), hedging.sharpness)
        best_labels = hedged_labels(evidence, words, hedging, n_shown)
        named &= np.array([label != UNNAMED for label in best_labels], bool)
    else:
        best_labels = [
            shown_label([words[i] for i in row], score, n_shown)
            for row, score in zip(indices, scores, strict=True)
        ]
    texts = [label if ok else UNNAMED for label, ok in zip(best_labels, named, strict=True)]
    shown = [row[: min(n_shown, len(row))] for row in indices]
    metrics = {
        "label_confidence": float(confidence.mean()) if len(confidence) else np.nan,
        "label_coherence": coherence(shown, word_vectors),
        "label_diversity": diversity(shown),
    }
    defined = {name: float(value) for name, value in metrics.items() if np.isfinite(value)}
    positions = {name: pair[0] for name, pair in found.items()}
    values = {name: pair[1] for name, pair in found.items()}
    return Naming(positions, values, texts, named, confidence, defined)
