"""Every number of the training, in one place."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Network: TypeAlias = Any
"""A `transformers.CLIPModel`, whose own annotations are too loose to check against."""
Tokenizer: TypeAlias = Any
"""A `transformers.CLIPTokenizer`."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Architecture, schedule and augmentation of the demo model.

    Lengths are in pixels, rates are per step, shares are in 0..1.

    Examples
    --------
    >>> Recipe().n_patches
    64
    """

    seed: int = 7
    # architecture
    image_size: int = 96
    patch_size: int = 12
    hidden_size: int = 192
    layers: int = 6
    heads: int = 4
    text_hidden_size: int = 128
    text_layers: int = 2
    dim: int = 192
    vocab_size: int = 6000
    context_length: int = 32
    logit_scale: float = 16.0
    # schedule
    steps: int = 1000
    batch_size: int = 160
    muon_lr: float = 2e-3
    adam_lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    ema: float = 0.995
    full_share: float = 0.15
    """Last share of the steps: every patch, no CutMix, gentle crops, as the model is served."""
    patch_keep: float = 0.5
    # data
    renders_per_kind: int = 100
    render_share: float = 0.2
    balance: float = 0.65
    distractors: int = 256
    label_smoothing: float = 0.1
    text_weight: float = 0.2
    cutmix: float = 0.3

    @property
    def n_patches(self) -> int:
        """Number of patches that the image tower reads."""
        return (self.image_size // self.patch_size) ** 2

    def as_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self)
