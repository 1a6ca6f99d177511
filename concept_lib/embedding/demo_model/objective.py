"""What one step draws, and what it asks of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from concept_lib.embedding.demo_model.augment import cutmix, training_views
from concept_lib.embedding.demo_model.data import Pictures
from concept_lib.embedding.demo_model.model import image_features, text_features
from concept_lib.embedding.demo_model.recipe import Network, Recipe, Tokenizer
from concept_lib.embedding.demo_model.text import caption, invented_words, tokenize

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one step: labels first, then distractors; and captions of some of them."""

    plain: list[str]
    captions: list[str]
    captioned: np.ndarray


@dataclass(frozen=True, slots=True)
class Views:
    """The pictures of one step; ``share`` of each shows ``labels``, the rest ``other_labels``."""

    images: Tensor
    kept: Tensor | None
    labels: np.ndarray
    other_labels: np.ndarray
    share: float


def draw_words(
    recipe: Recipe, labels: Sequence[str], others: Sequence[str], rng: np.random.Generator
) -> Words:
    """All labels, a fresh sample of distractors, and captions for some of either."""
    drawn = [others[i] for i in rng.permutation(len(others))[: recipe.distractors]]
    plain = [*labels, *drawn]
    plain += invented_words(plain, recipe.distractors // 6, rng)
    captioned = rng.permutation(len(plain))[: recipe.distractors // 3]
    return Words(plain, [caption(plain[i], rng) for i in captioned], captioned)


def draw_views(
    recipe: Recipe, pictures: Pictures, weights: np.ndarray, rng: np.random.Generator, *, gentle: bool
) -> Views:
    """A balanced batch of random views; whole and unmixed when ``gentle``."""
    import torch

    rows = rng.choice(len(pictures), size=recipe.batch_size, p=weights)
    images = training_views(pictures, rows, rng, image_size=recipe.image_size, gentle=gentle)
    images, partners, share = cutmix(images, rng, 0.0 if gentle else recipe.cutmix)
    kept = None
    if not gentle and recipe.patch_keep < 1:
        order = rng.uniform(size=(len(rows), recipe.n_patches)).argsort(axis=1)
        kept = torch.from_numpy(order[:, : round(recipe.patch_keep * recipe.n_patches)])
    labels = pictures.labels[rows]
    return Views(images, kept, labels, labels[partners], share)


def objective(recipe: Recipe, model: Network, views: Views, words: Words, tokenizer: Tokenizer) -> Tensor:
    """The loss of one step.

    Images choose their label among labels and distractors (a softmax over scaled cosines, label smoothing);
    captions choose their word among the same words, which keeps the vectors of all words apart.
    """
    import torch
    from torch.nn import functional

    def read(texts: list[str]) -> Tensor:
        ids, mask = tokenize(tokenizer, texts, recipe.context_length)
        return functional.normalize(text_features(model, ids, mask).float(), dim=-1)

    with torch.autocast("cpu", torch.bfloat16):
        plain, captions = read(words.plain), read(words.captions)
        images = image_features(model, views.images, views.kept)
    images = functional.normalize(images.float(), dim=-1)
    scale = model.logit_scale.exp()
    logits = scale * images @ plain.T

    def named(labels: np.ndarray) -> Tensor:
        return functional.cross_entropy(
            logits, torch.from_numpy(labels), label_smoothing=recipe.label_smoothing
        )

    loss = named(views.labels)
    if views.share < 1:
        loss = views.share * loss + (1 - views.share) * named(views.other_labels)
    text_loss = functional.cross_entropy(scale * captions @ plain.T, torch.from_numpy(words.captioned))
    return loss + recipe.text_weight * text_loss
