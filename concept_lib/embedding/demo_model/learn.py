"""The training loop: one step is a pure function of the recipe, the data, the state and its number."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from concept_lib.embedding.demo_model import augment
from concept_lib.embedding.demo_model.checkpoint import load_checkpoint, save_checkpoint
from concept_lib.embedding.demo_model.data import Pictures, sampling_weights
from concept_lib.embedding.demo_model.model import build_model, prepare_image_tower
from concept_lib.embedding.demo_model.objective import draw_views, draw_words, objective
from concept_lib.embedding.demo_model.recipe import Network, Recipe, Tokenizer
from concept_lib.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

CHECKPOINT_EVERY = 50


@dataclass(slots=True)
class State:
    """What changes while the model learns."""

    model: Network
    average: dict[str, Tensor]
    optimizers: dict[str, Optimizer]
    step: int = 0


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
    weights = sampling_weights(pictures, balance=recipe.balance, render_share=recipe.render_share)
    others = [word for word in nouns if word not in set(pictures.words)]
    end = recipe.steps if last_step is None else min(last_step, recipe.steps)
    while state.step < end:
        _step(recipe, state, pictures, weights, others, tokenizer)
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


def learning_rate_share(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then a cosine down to zero; 0..1.

    Examples
    --------
    >>> [round(learning_rate_share(step, 100, 0.1), 2) for step in (0, 9, 55, 99)]
    [0.1, 1.0, 0.5, 0.0]
    """
    ramp = max(1, round(steps * warmup))
    if step < ramp:
        return (step + 1) / ramp
    return 0.5 * (1 + math.cos(math.pi * (step - ramp) / max(1, steps - ramp)))


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
        recipe, n_tokens=len(tokenizer), start_id=tokenizer.bos_token_id, end_id=tokenizer.eos_token_id
    )
    rng = np.random.default_rng(recipe.seed)
    views = augment.training_views(
        pictures,
        rng.integers(len(pictures), size=min(512, len(pictures))),
        rng,
        image_size=recipe.image_size,
        gentle=True,
    )
    size = recipe.patch_size
    patches = views.unfold(2, size, size).unfold(3, size, size).permute(0, 2, 3, 1, 4, 5)
    prepare_image_tower(model, patches.reshape(-1, 3, size, size).numpy(), recipe.seed)
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
        if parameter.ndim == 2 and "embedding" not in name:
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


def _step(
    recipe: Recipe,
    state: State,
    pictures: Pictures,
    weights: np.ndarray,
    others: Sequence[str],
    tokenizer: Tokenizer,
) -> None:
    import torch

    rng = np.random.default_rng([recipe.seed, state.step])
    share = learning_rate_share(state.step, recipe.steps, recipe.warmup)
    for optimizer in state.optimizers.values():
        optimizer.zero_grad(set_to_none=True)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
    words = draw_words(recipe, pictures.words, others, rng)
    gentle = state.step >= (1 - recipe.full_share) * recipe.steps
    views = draw_views(recipe, pictures, weights, rng, gentle=gentle)
    loss = objective(recipe, state.model, views, words, tokenizer)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 5.0)
    for optimizer in state.optimizers.values():
        optimizer.step()
    decay = min(recipe.ema, (1 + state.step) / (10 + state.step))
    with torch.no_grad():
        for name, tensor in state.model.state_dict().items():
            if tensor.is_floating_point():
                state.average[name].lerp_(tensor, 1 - decay)
