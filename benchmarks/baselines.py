"""What the demo model is compared with: random weights, pixels, and features made by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.figures import unit
from benchmarks.photographs import central_squares
from concept_lib.errors import ConceptError
from concept_lib.settings import Embedding

if TYPE_CHECKING:
    from concept_lib.embedding.encoder import Encoder
    from concept_lib.progress import Progress

SEED = 42
PIXELS = 128
"""Shorter side of the pictures that the features are made of."""

PCA_SIDE, PCA_COMPONENTS = 32, 128
HISTOGRAM_BINS = 8  # a channel
HOG_CELL = 16  # pixels


def encode(encoder: Encoder, pixels: Sequence[np.ndarray], *, progress: Progress | None = None) -> np.ndarray:
    """Embed images in batches of the product's default size; float32 unit rows, shape (n, d)."""
    size = Embedding().batch_size
    parts = []
    for start in range(0, len(pixels), size):
        parts.append(encoder.encode_images(pixels[start : start + size]))
        if progress:
            progress(min(start + size, len(pixels)), len(pixels))
    return np.concatenate(parts)


def random_weights(folder: Path, target: Path, *, seed: int = SEED) -> Path:
    """Write a model of the same architecture as another, its weights initialised anew.

    Parameters
    ----------
    folder
        Model folder with a ``config.json`` of transformers in it or, as older sentence-transformers
        have it, in a folder below.
    target
        Gets a copy of all but the weights, and the new ones.
    seed
        Of the initialisation, which is that of transformers for this architecture.

    Returns
    -------
    Path
        The target.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    from concept_lib.embedding.quiet import quiet_libraries

    configs = [
        path for path in sorted(folder.rglob("config.json")) if "model_type" in json.loads(path.read_bytes())
    ]
    if not configs:
        raise ConceptError(f"{folder} has no config.json of transformers: random weights cannot be made")
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.safetensors*", "pytorch_model*"))
    for config in configs:
        place = target / config.relative_to(folder).parent
        with quiet_libraries(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = AutoConfig.from_pretrained(config.parent)
            model = AutoModel.from_config(made, dtype=torch.float32)  # type: ignore[no-untyped-call]
            model.save_pretrained(place)
    return target


def pixel_components(pixels: Sequence[np.ndarray], *, seed: int = SEED) -> np.ndarray:
    """Principal components of the pixels of small pictures (32x32 RGB), learnt on these pictures.

    Returns
    -------
    np.ndarray
        float32 unit rows, shape (n, 128), or as many columns as there are rows.
    """
    from sklearn.decomposition import PCA

    rows = central_squares(pixels, PCA_SIDE).reshape(len(pixels), -1).astype(np.float32) / 255
    model = PCA(min(PCA_COMPONENTS, *rows.shape), svd_solver="randomized", random_state=seed)
    return unit(model.fit_transform(rows))


def colours_and_gradients(pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Colour histogram (8x8x8 of RGB, square roots) and HOG (Dalal, Triggs 2005; scikit-image), equal in weight.

    HOG's parameters are those of the paper: 9 orientations and blocks of 2x2 cells, here on 8x8 cells.

    Returns
    -------
    np.ndarray
        float32 unit rows, shape (n, 512 + 1764).
    """
    from skimage.feature import hog

    squares = central_squares(pixels, PIXELS)
    cell, block = (HOG_CELL, HOG_CELL), (2, 2)
    gradients = [hog(square, 9, cell, block, channel_axis=-1) for square in squares]
    histograms = np.sqrt([_histogram(square) for square in squares])
    return unit(np.concatenate([unit(histograms), unit(np.array(gradients))], axis=1))


def _histogram(square: np.ndarray) -> np.ndarray:
    """Pixels in each of 8x8x8 boxes of the RGB cube."""
    levels = (square.reshape(-1, 3).astype(np.intp) * HISTOGRAM_BINS) // 256
    boxes = np.ravel_multi_index(tuple(levels.T), (HISTOGRAM_BINS,) * 3)
    return np.bincount(boxes, minlength=HISTOGRAM_BINS**3)
