"""A new map starts from the standing one and is laid over it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from concept_lib.modeling.layout import NOISE, aligned, starting_layout
from concept_lib.modeling.neighbours import exact_neighbors
from concept_lib.modeling.reduce import reduce


def scattered(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 2)) * [3, 1] + [20, -5]


def with_new(standing: np.ndarray, rows: list[int]) -> np.ndarray:
    found = standing.copy()
    found[rows] = np.nan
    return found


def test_survivors_start_where_they_stood_and_new_ones_among_their_neighbours() -> None:
    standing = with_new(scattered(8), [6, 7])
    neighbors = np.array([[row, (row + 1) % 6, (row + 2) % 6] for row in range(6)] + [[6, 0, 3], [7, 6, 1]])
    start = starting_layout(standing, neighbors, seed=1)
    extent = np.ptp(standing[:6], axis=0)
    assert start.dtype == np.float32
    assert (np.abs(start[:6] - standing[:6]) < 6 * NOISE * extent).all()
    assert (np.abs(start[6] - standing[[0, 3]].mean(axis=0)) < 6 * NOISE * extent).all()
    # its neighbour that was there counts, its new one does not
    assert (np.abs(start[7] - standing[1]) < 6 * NOISE * extent).all()
    assert len(np.unique(start, axis=0)) == 8


def test_a_chain_of_new_images_follows_its_first() -> None:
    standing = with_new(scattered(8), [5, 6, 7])
    neighbors = np.array([[row, (row + 1) % 5] for row in range(5)] + [[5, 2], [6, 5], [7, 6]])
    start = starting_layout(standing, neighbors)
    assert (np.abs(start[5:] - standing[2]) < 0.05).all()


def test_images_apart_from_all_others_start_within_bounds() -> None:
    standing = with_new(scattered(8), [6, 7])
    neighbors = np.array([[row, row] for row in range(6)] + [[6, 7], [7, 6]])
    start = starting_layout(standing, neighbors)
    inside = standing[:6]
    extent = np.ptp(inside, axis=0)
    assert (start >= inside.min(axis=0) - 6 * NOISE * extent).all()
    assert (start <= inside.max(axis=0) + 6 * NOISE * extent).all()


def test_the_start_is_seeded() -> None:
    standing = with_new(scattered(20), [3])
    neighbors = np.arange(20)[:, None] + np.array([0, -1, -2])
    first, again = (starting_layout(standing, neighbors, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, starting_layout(standing, neighbors, seed=5))


@pytest.mark.parametrize(
    "standing",
    [
        np.full((20, 2), np.nan),
        with_new(scattered(20), list(range(11))),
        scattered(4),
        scattered(20) * [1, 0],
        np.zeros((0, 2)),
    ],
    ids=["nothing stands", "less than half", "four images", "a line", "no image"],
)
def test_too_little_stands_to_start_from(standing: np.ndarray) -> None:
    assert starting_layout(standing, np.zeros((len(standing), 1), int)) is None


@given(
    angle=st.floats(0, 7),
    mirrored=st.booleans(),
    scale=st.floats(0.01, 100),
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    new=st.lists(st.integers(0, 29), max_size=20),
)
def test_what_was_moved_turned_mirrored_and_scaled_comes_back(
    angle: float, mirrored: bool, scale: float, shift: tuple[float, float], new: list[int]
) -> None:
    where = scattered(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    layout = (where @ turn * [1, -1 if mirrored else 1] * scale + shift).astype(np.float32)
    np.testing.assert_allclose(aligned(layout, with_new(where, new)), where, atol=2e-3)


def test_the_spread_of_the_survivors_lasts() -> None:
    """A layout unlike the standing one is not shrunk, as the factor of least squares would."""
    standing, layout = scattered(200), scattered(200, seed=9).astype(np.float32)
    for _ in range(5):
        layout = aligned(layout, standing)
    deviations = [array - array.mean(axis=0) for array in (layout, standing)]
    assert np.linalg.norm(deviations[0]) == pytest.approx(np.linalg.norm(deviations[1]), rel=1e-5)


def test_no_rotation_lies_closer() -> None:
    standing, layout = scattered(50), scattered(50, seed=2)
    ours = aligned(layout.astype(np.float32), standing).astype(float)
    apart = np.sum((ours - standing) ** 2)
    centre = ours.mean(axis=0)
    for angle in np.linspace(0, 2 * np.pi, 100):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for mirror in (1, -1):
            other = (ours - centre) @ turn * [1, mirror] + centre
            assert np.sum((other - standing) ** 2) >= apart * (1 - 1e-5)


@pytest.mark.parametrize(
    ("layout", "standing"),
    [
        (scattered(20), np.full((20, 2), np.nan)),
        (scattered(20), with_new(scattered(20), list(range(16)))),
        (scattered(20), np.zeros((20, 2))),
        (np.ones((20, 2)), scattered(20)),
        (np.zeros((0, 2)), np.zeros((0, 2))),
    ],
    ids=["nothing stands", "four survivors", "one point stood", "one point now", "no image"],
)
def test_a_layout_that_nothing_pins_down_stays(layout: np.ndarray, standing: np.ndarray) -> None:
    layout = layout.astype(np.float32)
    np.testing.assert_array_equal(aligned(layout, standing), layout)


@pytest.mark.slow  # umap-learn compiles in every process
def test_a_refit_map_lies_where_the_standing_one_lay() -> None:
    rng = np.random.default_rng(5)
    vectors = np.repeat(rng.normal(size=(15, 32)), 40, axis=0) + 0.8 * rng.normal(size=(600, 32))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    old = np.flatnonzero(np.arange(600) % 8)
    before = reduce(vectors[old], n_components=2, min_dist=0.1)
    standing = np.full((600, 2), np.nan)
    standing[old] = before
    neighbors = exact_neighbors(vectors, 15)
    refit = partial(reduce, vectors, n_components=2, min_dist=0.1, neighbors=neighbors)
    start = starting_layout(standing, neighbors[0])
    started, afresh = aligned(refit(start=start), standing), aligned(refit(), standing)
    extent = np.linalg.norm(np.ptp(before, axis=0))
    moved, without = (
        np.median(np.linalg.norm(layout[old] - before, axis=1)) / extent for layout in (started, afresh)
    )
    assert moved < 0.1
    assert moved < without
    np.testing.assert_array_equal(started, aligned(refit(start=start), standing))


@pytest.mark.parametrize("start", [np.zeros((19, 2)), np.zeros((20, 3)), np.full((20, 2), np.nan)])
def test_reduce_refuses_a_start_that_does_not_fit(start: np.ndarray) -> None:
    with pytest.raises(ValueError, match="start must be finite"):
        reduce(np.eye(20, dtype=np.float32), n_components=2, start=start.astype(np.float32))
