"""Every number of the training, in one place."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Network: TypeAlias = Any
"""A `transformers.VisionTextDualEncoderModel`, whose own annotations are too loose to check against."""
Tokenizer: TypeAlias = Any
"""A `transformers.CLIPTokenizer`."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Architecture, schedule and augmentation of the demo model.

    Lengths are in pixels, rates are per step, shares are in 0..1.

    Examples
    --------
    >>> recipe = Recipe(steps=100)
    >>> [recipe.size_at(step) for step in (0, 99)]
    [64, 96]
    """

    seed: int = 7
    without: tuple[str, ...] = ()
    """Kinds of which no picture is seen in training, to find out what becomes of them."""
    # architecture
    image_size: int = 96
    """Of the training pictures."""
    served_size: int = 100
    """Of pictures as the model is served them: random crops show things larger than they are (Touvron et al. 2019)."""
    hidden_sizes: tuple[int, ...] = (48, 96, 192, 384)
    depths: tuple[int, ...] = (1, 2, 6, 2)
    text_hidden_size: int = 128
    text_layers: int = 2
    text_heads: int = 4
    dim: int = 192
    vocab_size: int = 6000
    context_length: int = 32
    logit_scale: float = 10.0
    # schedule
    steps: int = 5700
    batch_size: int = 160
    muon_lr: float = 2e-3
    adam_lr: float = 1e-3
    weight_decay: float = 0.05
    warmup: float = 0.03
    first_cycle: float = 0.7895
    """Share of the steps after which the rates, run down to zero, start once more (Loshchilov and Hutter 2017)."""
    second_rate: float = 0.5
    """Height of the rates of the second cycle, as a share of the first's."""
    ema: float = 0.998
    early_logit_scale: float = 16.0
    """Of the first half of the first cycle: a sharper softmax learns faster, a softer one draws kinds together."""
    small_size: int = 64
    small_share: float = 0.75
    """First share of the first cycle, on pictures of `small_size`: twice as fast, and nearly as good a teacher."""
    gentle_share: float = 0.1
    """Last share of each cycle: no CutMix, gentle crops and colours, as the model is served."""
    drop_path: float = 0.1
    # data
    renders_per_kind: int = 100
    render_share: float = 0.2
    renewed: float = 0.1
    """Share of the renders that each epoch makes anew."""
    balance: float = 0.65
    distractors: int = 224
    label_smoothing: float = 0.1
    synonym_weight: float = 0.05
    hypernym_weight: float = 0.05
    """Shares of a picture's target; its name has the rest."""
    mixed_weight: float = 0.12
    """Share that the hypernyms have of a mixed picture's target: what is neither the one nor the other is of
    their common kind, if anything."""
    text_weight: float = 0.2
    product_weight: float = 0.3
    cutmix: float = 0.5

    @property
    def first_steps(self) -> int:
        """Steps of the first cycle."""
        return round(self.first_cycle * self.steps)

    def size_at(self, step: int) -> int:
        """Side of the training pictures at a step."""
        return self.small_size if step < self.small_share * self.first_steps else self.image_size

    def scale_at(self, step: int) -> float:
        """By what cosines are multiplied in the softmax of a step."""
        return self.early_logit_scale if step < self.first_steps / 2 else self.logit_scale

    def is_gentle(self, step: int) -> bool:
        """Whether a step belongs to the gentle end of its cycle."""
        first = self.first_steps
        done, steps = (step, first) if step < first else (step - first, self.steps - first)
        return done >= (1 - self.gentle_share) * steps

    def rate_at(self, step: int) -> float:
        """Share of the peak rates at a step: twice a linear warm-up, then a cosine down to zero.

        Examples
        --------
        >>> recipe = Recipe(steps=200, first_cycle=0.5, warmup=0.1)
        >>> [round(recipe.rate_at(step), 2) for step in (0, 9, 55, 99, 109, 199)]
        [0.1, 1.0, 0.5, 0.0, 0.5, 0.0]
        """
        first = self.first_steps
        peak, done, steps = (1.0, step, first)
        if step >= first:
            peak, done, steps = self.second_rate, step - first, self.steps - first
        ramp = max(1, round(steps * self.warmup))
        if done < ramp:
            return peak * (done + 1) / ramp
        return peak * 0.5 * (1 + math.cos(math.pi * (done - ramp) / max(1, steps - ramp)))

    def as_dict(self) -> dict[str, Any]:
        """All fields, ready for JSON."""
        return asdict(self)
