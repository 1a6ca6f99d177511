"""The still map: what it shows, and where its labels stand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from concept_lib.pictures.map import OUTLIER, map_figure
from concept_lib.pictures.palette import COLOURS, concept_colours
from concept_lib.pictures.placement import Box, place_labels

CANVAS = Box(10.0, 20.0, 500.0, 400.0)


def groups(n_concepts: int, each: int, n_outliers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Concepts in a circle, and outliers on a line through it."""
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, n_concepts, endpoint=False)
    centres = 10 * np.column_stack([np.cos(angles), np.sin(angles)])
    points = np.repeat(centres, each, axis=0) + rng.normal(0, 0.2, (n_concepts * each, 2))
    line = np.column_stack([np.linspace(-5, 5, n_outliers), np.zeros(n_outliers)])
    ids = np.append(np.repeat(np.arange(n_concepts), each), np.full(n_outliers, -1))
    return np.vstack([points, line]), ids


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def shown(image: np.ndarray, colour: str, alpha: float) -> int:
    """Pixels of a colour laid thinly over white."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((abs(image - (alpha * rgb + (1 - alpha) * 255)).max(axis=2) <= 2).sum())


@pytest.mark.parametrize("n_concepts", [1, 3, 12])
def test_each_concept_has_dots_of_its_own_colour(n_concepts: int) -> None:
    points, ids = groups(n_concepts, 5)
    image = pixels(map_figure(points, ids, {}))
    used = set(concept_colours(np.array([np.median(points[ids == i], axis=0) for i in range(n_concepts)])))
    assert len(used) == n_concepts
    assert all((shown(image, colour, 0.75) > 10) == (colour in used) for colour in COLOURS)
    assert shown(image, OUTLIER, 0.8) == 0


def test_outliers_are_grey_and_without_concepts_all_are() -> None:
    points, ids = groups(2, 4, 30)
    assert shown(pixels(map_figure(points, ids, {})), OUTLIER, 0.8) > 100
    alone = pixels(map_figure(points, np.full_like(ids, -1), {}))
    assert all(shown(alone, colour, 0.75) == 0 for colour in COLOURS)


def test_without_images_it_says_so() -> None:
    image = pixels(map_figure(np.zeros((0, 2)), np.zeros(0, np.int32), {}))
    assert (image < 128).all(axis=2).sum() > 100
    assert (image[300:] == 255).all()


def test_one_place_for_all_images_is_drawn() -> None:
    image = pixels(map_figure(np.ones((4, 2)), np.array([0, 0, 1, -1]), {0: "cat", 1: "dog"}))
    assert (image[200:] != 255).any()


@pytest.mark.parametrize(
    "label", ["", "a very long name " * 9, "$x^2$ and $broken{", "猫, 犬", "two\nlines", "🍎" * 60, "<b>"]
)
def test_labels_of_any_kind_stay_on_the_paper(label: str) -> None:
    points, ids = groups(4, 5)
    image = pixels(map_figure(points, ids, dict.fromkeys(range(4), label)))
    for edge in (image[:20], image[-20:], image[:, :20], image[:, -20:]):
        assert (edge == 255).all()


def test_equal_input_gives_equal_bytes_and_a_label_shows() -> None:
    points, ids = groups(3, 5)
    named = map_figure(points, ids, {0: "cat", 1: "dog", 2: "cow"})
    assert named == map_figure(points, ids, {2: "cow", 1: "dog", 0: "cat"})
    assert named != map_figure(points, ids, {})


def test_what_does_not_fit_together_is_an_error() -> None:
    with pytest.raises(ValueError, match="shape"):
        map_figure(np.zeros((3, 2)), np.zeros(2, np.int32), {})
    with pytest.raises(ValueError, match="finite"):
        map_figure(np.full((2, 2), np.nan), np.zeros(2, np.int32), {})


@given(seed=st.integers(0, 10_000), n=st.integers(1, 90), spread=st.floats(0.0, 1.0))
def test_labels_never_overlap_nor_leave_the_canvas(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    places = np.array([250.0, 200.0]) + spread * rng.uniform(-240, 240, (n, 2))
    sizes = rng.uniform([10, 8], [120, 24], (n, 2))
    points = rng.uniform(0, 500, (200, 2))
    owners = rng.integers(-1, n, 200)
    boxes = place_labels(places, sizes, points, owners, CANVAS)
    assert boxes == place_labels(places, sizes, points, owners, CANVAS)
    placed = [(box, size) for box, size in zip(boxes, sizes, strict=True) if box is not None]
    for i, (a, size) in enumerate(placed):
        assert (a.right - a.left, a.top - a.bottom) == pytest.approx(tuple(size))
        assert (np.array(a) >= (*CANVAS[:2], *CANVAS[:2])).all()
        assert (np.array(a) <= (*CANVAS[2:], *CANVAS[2:])).all()
        for b, _ in placed[:i]:
            assert min(a.right, b.right) <= max(a.left, b.left) or min(a.top, b.top) <= max(
                a.bottom, b.bottom
            )
    inside = (places >= CANVAS[:2]).all(axis=1) & (places <= CANVAS[2:]).all(axis=1)
    assert boxes[0] is not None or not inside[0]


def test_a_label_stands_beside_few_dots_and_upon_many() -> None:
    place, size = np.array([[250.0, 200.0]]), np.array([[60.0, 16.0]])
    few = place + np.random.default_rng(1).normal(0, 3, (30, 2))
    [beside] = place_labels(place, size, few, np.zeros(30, int), CANVAS)
    assert beside is not None
    covered = ((few >= beside[:2]) & (few <= beside[2:])).all(axis=1)
    assert not covered.any()
    grid = np.stack(np.meshgrid(np.arange(10, 500, 3), np.arange(20, 400, 3)), axis=-1).reshape(-1, 2)
    [upon] = place_labels(place, size, grid.astype(float), np.zeros(len(grid), int), CANVAS)
    assert upon == Box(220.0, 192.0, 280.0, 208.0)


def test_neighbouring_concepts_never_share_a_colour() -> None:
    places = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    colours = np.array(concept_colours(places)).reshape(12, 12)
    assert (colours[1:] != colours[:-1]).all()
    assert (colours[:, 1:] != colours[:, :-1]).all()
    assert concept_colours(np.zeros((0, 2))) == []
