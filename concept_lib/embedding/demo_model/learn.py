"""The training loop: one step is a pure function of the recipe, the data, the state and its number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from concept_lib.embedding.demo_model.checkpoint import load_checkpoint, save_checkpoint
from concept_lib.embedding.demo_model.data import Pictures, renew_renders, sampling_weights
from concept_lib.embedding.demo_model.model import PRODUCT_HEAD, build_model
from concept_lib.embedding.demo_model.objective import Views, Words, draw_views, draw_words, objective
from concept_lib.embedding.demo_model.recipe import Network, Recipe, Tokenizer
from concept_lib.embedding.demo_model.relations import load_relations, targets
from concept_lib.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

CHECKPOINT_EVERY = 50
Drawing: TypeAlias = tuple[Views, Words]


@dataclass(slots=True)
class State:
    """What changes while the model learns."""

    model: Network
    average: dict[str, Tensor]
    optimizers: dict[str, Optimizer]
    step: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What stays the same while it learns."""

    pictures: Pictures
    weights: np.ndarray
    known: list[str]
    others: list[str]
    wanted: np.ndarray
    tokenizer: Tokenizer


def learn(
    recipe: Recipe,
    pictures: Pictures,
    nouns: Sequence[str],
    tokenizer: Tokenizer,
    checkpoint: Path,
    *,
    last_step: int | None = None,
    progress: Progress | None = None,
) -> Network:
    """Train, or go on training, and return the model with averaged weights.

    Parameters
    ----------
    pictures
        Training pictures only.
    nouns
        Every word the model should tell apart; those that are no label serve as distractors.
    checkpoint
        Safetensors file; training goes on from it when it exists.
    last_step
        Stop early after this many steps in all (the checkpoint is written), None for the recipe's.
    progress
        Called with the steps done and the recipe's steps.
    """
    identity = _identity(recipe, pictures, nouns, tokenizer)
    state = _fresh_state(recipe, pictures, tokenizer)
    state.step = load_checkpoint(
        checkpoint, identity=identity, model=state.model, average=state.average, optimizers=state.optimizers
    )
    lesson = _lesson(recipe, pictures, nouns, tokenizer)
    end = recipe.steps if last_step is None else min(last_step, recipe.steps)
    with closing(_drawings(recipe, lesson, range(state.step, end))) as drawings:
        for drawing in drawings:
            _step(recipe, state, lesson, drawing)
            state.step += 1
            if state.step % CHECKPOINT_EVERY == 0 or state.step == end:
                save_checkpoint(
                    checkpoint,
                    step=state.step,
                    identity=identity,
                    model=state.model,
                    average=state.average,
                    optimizers=state.optimizers,
                )
            if progress:
                progress(state.step, recipe.steps)
    state.model.load_state_dict(state.average)
    return state.model.eval()


def _lesson(recipe: Recipe, pictures: Pictures, nouns: Sequence[str], tokenizer: Tokenizer) -> Lesson:
    """A word without pictures is a distractor like any other noun."""
    taught = np.unique(pictures.labels)
    kinds = [pictures.words[code] for code in taught]
    relations = load_relations(kinds)
    known = list(dict.fromkeys([*kinds, *relations.words()]))
    wanted = np.zeros((2, len(pictures.words), len(known)), np.float32)
    for row, share in enumerate((recipe.hypernym_weight, recipe.mixed_weight)):
        wanted[row, taught] = targets(
            kinds, known, relations, synonyms=recipe.synonym_weight, hypernyms=share
        )
    weights = sampling_weights(pictures, balance=recipe.balance, render_share=recipe.render_share)
    return Lesson(pictures, weights, known, sorted(set(nouns) - set(known)), wanted, tokenizer)


def _epoch(recipe: Recipe, pictures: Pictures, step: int) -> int:
    """Whole passes over the photos before a step."""
    drawn = step * recipe.batch_size * (1 - recipe.render_share)
    return int(drawn // max(1, int((~pictures.rendered).sum())))


def _identity(recipe: Recipe, pictures: Pictures, nouns: Sequence[str], tokenizer: Tokenizer) -> str:
    digest = hashlib.sha256(json.dumps([recipe.as_dict(), pictures.words, list(nouns)]).encode())
    digest.update(tokenizer.backend_tokenizer.to_str().encode())
    digest.update(pictures.labels.tobytes())
    digest.update(pictures.pixels.data)
    return digest.hexdigest()


def _fresh_state(recipe: Recipe, pictures: Pictures, tokenizer: Tokenizer) -> State:
    import torch

    torch.manual_seed(recipe.seed)
    model = build_model(
        recipe,
        n_tokens=len(tokenizer),
        start_id=tokenizer.bos_token_id,
        end_id=tokenizer.eos_token_id,
        n_products=max(1, int(pictures.products.max()) + 1),
    )
    model.train()
    average = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return State(model, average, _optimizers(model, recipe))


def _optimizers(model: Network, recipe: Recipe) -> dict[str, Optimizer]:
    """Muon (Jordan 2024) for the matrices of the layers, AdamW for all else."""
    import torch

    matrices, embeddings, rest = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim == 2 and "embedding" not in name and PRODUCT_HEAD not in name:
            matrices.append(parameter)
        elif "token_embedding" in name:
            embeddings.append(parameter)
        else:
            rest.append(parameter)
    muon = torch.optim.Muon(
        matrices, lr=recipe.muon_lr, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"
    )
    groups: list[dict[str, Any]] = [{"params": rest}, {"params": embeddings, "lr": 3 * recipe.adam_lr}]
    adam = torch.optim.AdamW(groups, lr=recipe.adam_lr, weight_decay=0.0, betas=(0.9, 0.98))
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return {"muon": muon, "adam": adam}


def _drawings(recipe: Recipe, lesson: Lesson, steps: range) -> Generator[Drawing]:
    """Words and pictures of each step, drawn while the step before is learnt."""
    epoch = 0

    def draw(step: int) -> Drawing:
        nonlocal epoch
        if epoch < (now := _epoch(recipe, lesson.pictures, step)):
            renew_renders(lesson.pictures, epoch, now, share=recipe.renewed)
            epoch = now
        rng = np.random.default_rng([recipe.seed, step])
        words = draw_words(recipe, lesson.known, lesson.others, rng)
        return draw_views(recipe, lesson.pictures, lesson.weights, rng, step), words

    with ThreadPoolExecutor(1) as thread:
        waiting = [thread.submit(draw, step) for step in steps[:1]]
        for step in steps:
            drawing = waiting.pop().result()
            if step + 1 < steps.stop:
                waiting.append(thread.submit(draw, step + 1))
            yield drawing


def _step(recipe: Recipe, state: State, lesson: Lesson, drawing: Drawing) -> None:
    import torch

    torch.manual_seed(recipe.seed * 1_000_003 + state.step)  # of the dropped paths
    share = recipe.rate_at(state.step)
    for optimizer in state.optimizers.values():
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
    views, words = drawing
    scale = recipe.scale_at(state.step)
    loss = objective(
        recipe, state.model, lesson.pictures, views, words, lesson.tokenizer, lesson.wanted, scale
    )
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 5.0)
    for optimizer in state.optimizers.values():
        optimizer.step()
    decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, tensor in state.model.state_dict().items():
            if tensor.is_floating_point():
                state.average[name].lerp_(tensor, 1 - decay)
