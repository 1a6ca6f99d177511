"""Charts show the numbers that they are made of."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from concept_lib.pictures.chart import BAR, map_thumbnail, size_histogram

BLUE = tuple(int(BAR[i : i + 2], 16) for i in (1, 3, 5))


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def bars(sizes: list[int]) -> list[int]:
    """Height in pixels of each bar, from left to right."""
    blue = (np.abs(pixels(size_histogram(sizes, 0)) - BLUE) < 12).all(axis=2)
    heights = blue.sum(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heights > 0, [0]])))
    return [int(heights[start:stop].max()) for start, stop in edges.reshape(-1, 2)]


def test_a_bar_is_as_high_as_its_count() -> None:
    found = bars([5] * 2 + [9] * 6 + [12] * 3)
    assert len(found) == 3
    assert found[0] / found[1] == pytest.approx(2 / 6, abs=0.03)
    assert found[2] / found[1] == pytest.approx(3 / 6, abs=0.03)


def test_nothing_to_count_is_no_error() -> None:
    assert bars([]) == []
    assert pixels(map_thumbnail(np.zeros((0, 2)), np.zeros(0, np.int32), "no images")).shape[2] == 3


def test_dots_of_a_concept_share_a_colour_and_the_others_are_grey() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 8.0]])
    ids = np.repeat([0, 1, -1], 200)
    plane = np.repeat(centres, 200, axis=0) + rng.normal(0, 0.2, (600, 2))
    shown = pixels(map_thumbnail(plane, ids, "three groups"))
    body = shown[70:]
    coloured = (np.ptp(body, axis=2) > 40).any(axis=0)
    left, right = np.flatnonzero(coloured)[[0, -1]]
    assert left < 220
    assert right > 420
    assert not coloured[280:360].any(), "the group without a concept is grey"
    middle = body[:, 280:360]
    assert ((middle.max(axis=2) < 225) & (np.ptp(middle, axis=2) < 12)).sum() > 50


def test_without_concepts_the_dense_place_is_darker() -> None:
    rng = np.random.default_rng(0)
    dense, sparse = rng.normal(0, 0.15, (900, 2)), rng.normal((6, 0), 0.15, (12, 2))
    shown = pixels(map_thumbnail(np.vstack([dense, sparse]), np.full(912, -1), "density"))[70:]
    blue = np.ptp(shown, axis=2) > 30
    columns = np.flatnonzero(blue.any(axis=0))
    half = (columns[0] + columns[-1]) // 2
    darkness = [255 - part[np.ptp(part, axis=2) > 30].mean() for part in (shown[:, :half], shown[:, half:])]
    assert darkness[0] > darkness[1] + 15
