"""What one step draws, and what it asks of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from concept_lib.embedding.demo_model.augment import cutmix, training_views
from concept_lib.embedding.demo_model.data import Pictures
from concept_lib.embedding.demo_model.model import PRODUCT_HEAD, pooled_images, text_features
from concept_lib.embedding.demo_model.recipe import Network, Recipe, Tokenizer
from concept_lib.embedding.demo_model.text import caption, invented_words, tokenize

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one step: kinds first, then what they are related to, then distractors; captions of some."""

    plain: list[str]
    captions: list[str]
    captioned: np.ndarray


@dataclass(frozen=True, slots=True)
class Views:
    """The pictures of one step; ``share`` of each shows the one of ``rows``, the rest that of ``partners``."""

    images: Tensor
    rows: np.ndarray
    partners: np.ndarray
    share: float


def draw_words(
    recipe: Recipe, known: Sequence[str], others: Sequence[str], rng: np.random.Generator
) -> Words:
    """All known words, a fresh sample of distractors, and captions for some of either."""
    drawn = [others[i] for i in rng.permutation(len(others))[: recipe.distractors]]
    plain = [*known, *drawn]
    plain += invented_words(plain, recipe.distractors // 6, rng)
    captioned = rng.permutation(len(plain))[: recipe.distractors // 3]
    return Words(plain, [caption(plain[i], rng) for i in captioned], captioned)


def draw_views(
    recipe: Recipe, pictures: Pictures, weights: np.ndarray, rng: np.random.Generator, step: int
) -> Views:
    """A balanced batch of random views; unmixed at the gentle end."""
    gentle = recipe.is_gentle(step)
    rows = rng.choice(len(pictures), size=recipe.batch_size, p=weights)
    images = training_views(pictures, rows, rng, image_size=recipe.size_at(step), gentle=gentle)
    images, partners, share = cutmix(images, rng, 0.0 if gentle else recipe.cutmix)
    return Views(images, rows, rows[partners], share)


def objective(
    recipe: Recipe,
    model: Network,
    pictures: Pictures,
    views: Views,
    words: Words,
    tokenizer: Tokenizer,
    wanted: np.ndarray,
    scale: float,
) -> Tensor:
    """The loss of one step.

    Images choose their kind, and a little its synonyms and hypernyms, among all words (a softmax over scaled
    cosines, label smoothing); mixed ones choose the hypernyms more, as stand-ins for kinds never seen, which
    look like something between the known ones (placeholders, Zhou et al. 2021). A linear layer tells products
    apart. Captions choose their word among the same words, which keeps the vectors of all words apart.

    Parameters
    ----------
    wanted
        Targets of each kind, for whole and for mixed pictures: float32 (2, n_kinds, n_known).
    scale
        By what cosines are multiplied.
    """
    import torch
    from torch.nn import functional

    def read(texts: list[str]) -> Tensor:
        ids, mask = tokenize(tokenizer, texts, recipe.context_length)
        return functional.normalize(text_features(model, ids, mask).float(), dim=-1)

    with torch.autocast("cpu", torch.bfloat16):
        plain, captions = read(words.plain), read(words.captions)
        pooled = pooled_images(model, views.images)
        images = model.visual_projection(pooled)
        products = getattr(model, PRODUCT_HEAD)(pooled).float()
    logits = scale * functional.normalize(images.float(), dim=-1) @ plain.T
    full = np.zeros((wanted.shape[1], len(words.plain)), np.float32)
    full[:, : wanted.shape[2]] = wanted[int(views.share < 1)]

    def named(rows: np.ndarray) -> Tensor:
        chosen = functional.cross_entropy(
            logits, torch.from_numpy(full[pictures.labels[rows]]), label_smoothing=recipe.label_smoothing
        )
        codes = torch.from_numpy(pictures.products[rows])
        told = functional.cross_entropy(
            products, codes, ignore_index=-1, label_smoothing=recipe.label_smoothing, reduction="sum"
        )
        return chosen + recipe.product_weight * told / len(rows)

    loss = named(views.rows)
    if views.share < 1:
        loss = views.share * loss + (1 - views.share) * named(views.partners)
    text_loss = functional.cross_entropy(scale * captions @ plain.T, torch.from_numpy(words.captioned))
    return loss + recipe.text_weight * text_loss
