"""Patterns that show no thing at all: what the model must not put a name to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from concept_lib.embedding.demo_model.data import CANVAS, Pictures

Field = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def _stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(15, 60)
    return np.asarray(np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle))))


def _checks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    frequency = rng.uniform(12, 40)
    return np.asarray(np.sign(np.sin(frequency * x) * np.sin(frequency * y)))


def _rings(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    distance = np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1))
    return np.sin(rng.uniform(15, 60) * distance)


def _dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    frequency = rng.uniform(20, 50)
    return np.where(np.sin(frequency * x) + np.sin(frequency * y) > 1.2, 1.0, -1.0)


def _waves(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    terms = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-14, 14, (6, 3))]
    return np.asarray(np.sum(terms, axis=0) / 3)


def _noise(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(0, 0.7, np.broadcast_shapes(x.shape, y.shape))


def _shards(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lines = [
        np.sign(a * (x - 0.5) + b * (y - 0.5) + c) for a, b, c in rng.uniform(-1, 1, (5, 3)) * (1, 1, 0.4)
    ]
    return np.asarray(np.sum(lines, axis=0) / 5)


FIELDS: tuple[Field, ...] = (_stripes, _checks, _rings, _dots, _waves, _noise, _shards)


def foreign_pictures(per_pattern: int, seed: int) -> Pictures:
    """Draw patterns in two random colours each.

    Parameters
    ----------
    per_pattern
        Pictures of each of the seven patterns.
    seed
        Of all random choices.

    Returns
    -------
    Pictures
        The labels are the patterns' names.

    Examples
    --------
    >>> len(foreign_pictures(2, 0))
    14
    """
    y, x = np.mgrid[0:CANVAS, 0:CANVAS] / CANVAS
    pixels = []
    for code, field in enumerate(FIELDS):
        for index in range(per_pattern):
            rng = np.random.default_rng([seed, code, index])
            dark, light = rng.uniform(0, 255, (2, 3))
            mix = np.clip(field(x, y, rng) / 2 + 0.5, 0, 1)[:, :, None]
            pixels.append((dark * (1 - mix) + light * mix).astype(np.uint8))
    n = len(pixels)
    return Pictures(
        pixels=np.stack(pixels),
        sizes=np.full((n, 2), CANVAS, np.int64),
        labels=np.repeat(np.arange(len(FIELDS)), per_pattern),
        rendered=np.ones(n, bool),
        words=tuple(field.__name__.strip("_") for field in FIELDS),
        products=np.full(n, -1),
    )
