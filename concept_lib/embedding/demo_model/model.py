"""The network: a plain small ``CLIPModel``, and the start that lets it learn from few pictures."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from concept_lib.embedding.demo_model.recipe import Network, Recipe

if TYPE_CHECKING:
    from torch import Generator, Tensor


def build_model(recipe: Recipe, *, n_tokens: int, end_id: int, start_id: int) -> Network:
    """A ``CLIPModel`` with fresh weights; the caller has seeded torch."""
    from transformers import CLIPConfig, CLIPModel

    vision = {
        "image_size": recipe.image_size,
        "patch_size": recipe.patch_size,
        "hidden_size": recipe.hidden_size,
        "intermediate_size": 4 * recipe.hidden_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "hidden_act": "gelu",
        "projection_dim": recipe.dim,
    }
    text = {
        "vocab_size": n_tokens,
        "hidden_size": recipe.text_hidden_size,
        "intermediate_size": 4 * recipe.text_hidden_size,
        "num_hidden_layers": recipe.text_layers,
        "num_attention_heads": recipe.heads,
        "max_position_embeddings": recipe.context_length,
        "hidden_act": "gelu",
        "projection_dim": recipe.dim,
        "bos_token_id": start_id,
        "eos_token_id": end_id,
        "pad_token_id": end_id,
    }
    config = CLIPConfig(
        vision_config=vision,
        text_config=text,
        projection_dim=recipe.dim,
        logit_scale_init_value=math.log(recipe.logit_scale),
    )
    config._attn_implementation = "eager"
    model = CLIPModel(config)
    model.logit_scale.requires_grad_(False)
    return model


def prepare_image_tower(model: Network, patches: np.ndarray, seed: int) -> None:
    """Give the image tower a better start than noise.

    Patch filters are the principal components of real patches, positions are two-dimensional sinusoids
    (Vaswani et al. 2017), and attention starts near what trained attention looks like (mimetic
    initialisation, Trockman and Kolter 2023).

    Parameters
    ----------
    patches
        float32 (n, 3, patch, patch), standardised pixel values.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    vision = model.vision_model
    with torch.no_grad():
        filters = _principal_filters(patches, vision.embeddings.patch_embedding.weight.shape)
        vision.embeddings.patch_embedding.weight.copy_(torch.from_numpy(filters))
        side = int(math.sqrt(vision.embeddings.num_patches))
        hidden = vision.embeddings.embed_dim
        positions = torch.from_numpy(_sinusoids(side, hidden))
        vision.embeddings.position_embedding.weight[1:].copy_(0.5 * positions)
        vision.embeddings.position_embedding.weight[0].zero_()
        for layer in vision.encoder.layers:
            _mimetic(layer.self_attn, generator)


def _principal_filters(patches: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    flat = patches.reshape(len(patches), -1).astype(np.float64)
    flat -= flat.mean(axis=0)
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    order = np.argsort(values)[::-1][: shape[0]]
    # Whitened, with a floor so that the finest details are not blown up to noise.
    filters = vectors[:, order] / np.sqrt(values[order] + 0.01 * values.mean())
    full = np.zeros((shape[0], flat.shape[1]))
    full[: len(order)] = filters.T
    return full.reshape(shape).astype(np.float32)


def _sinusoids(side: int, hidden: int) -> np.ndarray:
    quarter = hidden // 4
    frequency = 1.0 / 100.0 ** (np.arange(quarter) / quarter)
    axis = np.arange(side)[:, None] * frequency
    wave = np.concatenate([np.sin(axis), np.cos(axis)], axis=1)
    rows = np.repeat(wave, side, axis=0)
    columns = np.tile(wave, (side, 1))
    return np.concatenate([rows, columns], axis=1).astype(np.float32)


def _mimetic(attention: Network, generator: Generator) -> None:
    import torch

    heads, hidden = attention.num_heads, attention.embed_dim
    width = hidden // heads
    noise = torch.randn(hidden, hidden, generator=generator) / math.sqrt(hidden)
    left, values, right = torch.linalg.svd(0.4 * noise - 0.4 * torch.eye(hidden))
    root = values.sqrt()
    attention.v_proj.weight.copy_(root[:, None] * right)
    attention.out_proj.weight.copy_(left * root)
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        noise = torch.randn(hidden, hidden, generator=generator) / math.sqrt(hidden)
        left, values, right = torch.linalg.svd(0.7 * noise + 0.7 * torch.eye(hidden))
        root = values[:width].sqrt()
        attention.q_proj.weight[rows] = (left[:, :width] * root).T
        attention.k_proj.weight[rows] = root[:, None] * right[:width]


def image_features(model: Network, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
    """Image vectors (n, dim), not normalised.

    Parameters
    ----------
    kept
        int64 (n, k), the patches that each image keeps (PatchDropout, Liu et al. 2022; as in FLIP, Li et al.
        2023); all of them when None.
    """
    import torch

    vision = model.vision_model
    tokens = vision.embeddings(pixels)
    if kept is not None:
        rows = torch.cat([kept.new_zeros(len(kept), 1), kept + 1], dim=1)
        tokens = tokens.gather(1, rows[:, :, None].expand(-1, -1, tokens.shape[2]))
    hidden = vision.encoder(inputs_embeds=vision.pre_layrnorm(tokens)).last_hidden_state
    projected: Tensor = model.visual_projection(vision.post_layernorm(hidden[:, 0]))
    return projected


def text_features(model: Network, ids: np.ndarray, mask: np.ndarray) -> Tensor:
    """Text vectors (n, dim), not normalised."""
    import torch

    output = model.text_model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    projected: Tensor = model.text_projection(output.pooler_output)
    return projected
