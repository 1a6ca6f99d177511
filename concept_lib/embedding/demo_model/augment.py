"""Pictures in memory to batches of pixel values: random views for training, plain ones for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from concept_lib.embedding.demo_model.data import CANVAS, Pictures

if TYPE_CHECKING:
    from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)
"""Channel means and deviations of CLIP (Radford et al. 2021)."""


def random_boxes(
    sizes: np.ndarray, rng: np.random.Generator, *, min_area: float, stretch: float = 4 / 3
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a crop for each picture.

    Parameters
    ----------
    sizes
        (n, 2), height and width in pixels.
    min_area
        Least share of the picture's area.
    stretch
        Bound on how far the crop's shape differs from the picture's.

    Returns
    -------
    centres, halves
        float64 (n, 2) each, (y, x) in pixels; the box lies inside its picture.
    """
    n = len(sizes)
    area = rng.uniform(min_area, 1.1, n)
    ratio = np.exp(rng.uniform(-np.log(stretch), np.log(stretch), n))
    shares = np.minimum(np.stack([np.sqrt(area / ratio), np.sqrt(area * ratio)], axis=1), 1)
    halves = shares * sizes / 2
    centres = halves + rng.uniform(size=(n, 2)) * (sizes - 2 * halves)
    return centres, halves


def whole_boxes(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All of each picture, which the image processor squeezes into a square."""
    return sizes / 2, sizes / 2


def crop(
    pixels: np.ndarray,
    centres: np.ndarray,
    halves: np.ndarray,
    image_size: int,
    angles: np.ndarray | None = None,
    mirrored: np.ndarray | None = None,
) -> Tensor:
    """Sample boxes bilinearly, float32 (n, 3, image_size, image_size) in 0..1.

    Boxes may be turned by ``angles`` (radians) and ``mirrored`` (bool); what lies outside the stored square
    repeats its border.
    """
    import torch
    from torch.nn import functional

    n = len(pixels)
    angles = np.zeros(n) if angles is None else angles
    sign = np.ones(n) if mirrored is None else np.where(mirrored, -1.0, 1.0)
    theta = np.zeros((n, 2, 3))
    cos, sin = np.cos(angles), np.sin(angles)
    theta[:, 0, 0], theta[:, 0, 1] = sign * cos * halves[:, 1], -sin * halves[:, 1]
    theta[:, 1, 0], theta[:, 1, 1] = sign * sin * halves[:, 0], cos * halves[:, 0]
    theta[:, 0, 2], theta[:, 1, 2] = centres[:, 1], centres[:, 0]
    theta *= 2 / CANVAS
    theta[:, :, 2] -= 1
    stored = torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(255)
    grid = functional.affine_grid(
        torch.from_numpy(theta).float(), [n, 3, image_size, image_size], align_corners=False
    )
    return functional.grid_sample(stored, grid, mode="bilinear", padding_mode="border", align_corners=False)


def jitter(images: Tensor, rng: np.random.Generator, strength: float) -> Tensor:
    """Change brightness, contrast, saturation and colour cast of each picture; in and out 0..1."""
    import torch

    n = len(images)

    def factor(spread: float) -> Tensor:
        drawn = np.exp(rng.uniform(-spread, spread, (n, 1, 1, 1)) * strength)
        return torch.from_numpy(drawn).float()

    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * factor(0.35)
    level = images.mean(dim=(1, 2, 3), keepdim=True)
    images = level + (images - level) * factor(0.3)
    cast = np.exp(rng.uniform(-0.07, 0.07, (n, 3, 1, 1)) * strength)
    return (images * factor(0.35) * torch.from_numpy(cast).float()).clamp_(0, 1)


def normalise(images: Tensor) -> Tensor:
    """Standardise the channels as the image processor does."""
    import torch

    mean = torch.tensor(MEAN).view(1, 3, 1, 1)
    std = torch.tensor(STD).view(1, 3, 1, 1)
    return (images - mean) / std


def training_views(
    pictures: Pictures, rows: np.ndarray, rng: np.random.Generator, *, image_size: int, gentle: bool
) -> Tensor:
    """Random views of some rows, float32 (n, 3, image_size, image_size), standardised."""
    sizes = pictures.sizes[rows]
    centres, halves = random_boxes(sizes, rng, min_area=0.7 if gentle else 0.35)
    angles = rng.normal(0, 0.04 if gentle else 0.12, len(rows))
    # A turned box must not look beyond the picture, so it shrinks with its angle.
    halves = halves * (1 - 0.5 * np.abs(np.sin(angles)))[:, None]
    mirrored = rng.uniform(size=len(rows)) < 0.5
    views = crop(pictures.pixels[rows], centres, halves, image_size, angles, mirrored)
    return normalise(jitter(views, rng, 0.5 if gentle else 1.0))


def plain_views(pictures: Pictures, rows: np.ndarray, *, image_size: int) -> Tensor:
    """The pictures as the model is served them, float32 (n, 3, image_size, image_size), standardised."""
    centres, halves = whole_boxes(pictures.sizes[rows])
    return normalise(crop(pictures.pixels[rows], centres, halves, image_size))


def cutmix(images: Tensor, rng: np.random.Generator, probability: float) -> tuple[Tensor, np.ndarray, float]:
    """Paste a box of another picture of the batch into each (CutMix, Yun et al. 2019).

    Returns
    -------
    images
        As given, or mixed.
    partners
        int64 (n,), the row that each picture's box came from.
    share
        Share of each picture that is still its own, 1.0 when nothing was mixed.
    """
    n, side = len(images), images.shape[-1]
    partners = rng.permutation(n)
    wanted = np.sqrt(rng.uniform(0.1, 0.6))
    top, left = (rng.uniform(size=2) * (1 - wanted) * side).astype(int)
    extent = round(wanted * side)
    if rng.uniform() >= probability:
        return images, partners, 1.0
    box = (slice(None), slice(None), slice(top, top + extent), slice(left, left + extent))
    mixed = images.clone()
    mixed[box] = images[partners][box]
    return mixed, partners, 1 - (extent / side) ** 2
