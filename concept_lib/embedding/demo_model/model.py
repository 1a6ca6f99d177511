"""The network: a ConvNeXt for images and CLIP's text transformer, both small, in one space."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from concept_lib.embedding.demo_model.recipe import Network, Recipe

if TYPE_CHECKING:
    from torch import Tensor

PRODUCT_HEAD = "product_head"
"""Name of the layer that tells products apart; it helps to learn and is not exported."""


def build_model(recipe: Recipe, *, n_tokens: int, end_id: int, start_id: int, n_products: int = 1) -> Network:
    """A ``VisionTextDualEncoderModel`` with fresh weights; the caller has seeded torch.

    Images go through a ConvNeXt (Liu et al. 2022): a convolutional network learns more from some thousand
    pictures than a vision transformer does. Words go through the text transformer of CLIP (Radford et al. 2021).
    """
    import torch
    from transformers import CLIPTextConfig, ConvNextConfig
    from transformers import VisionTextDualEncoderConfig as DualConfig
    from transformers import VisionTextDualEncoderModel as DualEncoder

    vision = ConvNextConfig(
        image_size=recipe.served_size,
        hidden_sizes=list(recipe.hidden_sizes),
        depths=list(recipe.depths),
        num_stages=len(recipe.depths),
        hidden_size=recipe.hidden_sizes[-1],  # type: ignore[call-arg]  # the dual encoder asks for it
        hidden_act="silu",
        drop_path_rate=recipe.drop_path,
        layer_scale_init_value=0.1,
    )
    text = CLIPTextConfig(
        vocab_size=n_tokens,
        hidden_size=recipe.text_hidden_size,
        intermediate_size=4 * recipe.text_hidden_size,
        num_hidden_layers=recipe.text_layers,
        num_attention_heads=recipe.text_heads,
        max_position_embeddings=recipe.context_length,
        hidden_act="gelu",
        bos_token_id=start_id,
        eos_token_id=end_id,
        pad_token_id=end_id,
    )
    config = DualConfig.from_vision_text_configs(
        vision, text, projection_dim=recipe.dim, logit_scale_init_value=math.log(recipe.logit_scale)
    )
    model: Network = DualEncoder(config)
    model.logit_scale.requires_grad_(False)
    model.add_module(PRODUCT_HEAD, torch.nn.Linear(recipe.hidden_sizes[-1], n_products))
    for layer in model.vision_model.modules():
        if isinstance(layer, torch.nn.Conv2d) and layer.groups > 1:
            layer.forward = partial(_full_precision, layer)  # type: ignore[method-assign]
    return model.to(memory_format=torch.channels_last)


def _full_precision(layer: Network, images: Tensor) -> Tensor:
    """A depthwise convolution outside autocast: in bfloat16 its weight gradient takes three times as long."""
    import torch

    with torch.autocast("cpu", enabled=False):
        convolved: Tensor = layer._conv_forward(images.float(), layer.weight, layer.bias)
    return convolved


def pooled_images(model: Network, pixels: Tensor) -> Tensor:
    """What the image tower sees, (n, hidden), before it is projected."""
    import torch

    pooled: Tensor = model.vision_model(
        pixel_values=pixels.contiguous(memory_format=torch.channels_last)
    ).pooler_output
    return pooled


def image_features(model: Network, pixels: Tensor) -> Tensor:
    """Image vectors (n, dim), not normalised."""
    projected: Tensor = model.visual_projection(pooled_images(model, pixels))
    return projected


def text_features(model: Network, ids: np.ndarray, mask: np.ndarray) -> Tensor:
    """Text vectors (n, dim), not normalised."""
    import torch

    output = model.text_model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
    projected: Tensor = model.text_projection(output.pooler_output)
    return projected
