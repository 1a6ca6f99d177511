"""Layouts: shapes, small and degenerate inputs, determinism, structure kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from concept_lib.modeling import reduce as reduction
from concept_lib.modeling.neighbours import exact_neighbors
from concept_lib.modeling.reduce import reduce


def grouped_vectors(n_groups: int, size: int, spread: float, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(n_groups, 32)), size, axis=0)
    vectors = vectors + spread * rng.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def share_of_own_group(layout: np.ndarray, size: int) -> float:
    """Mean share of the ``size - 1`` nearest rows that are of a row's own group."""
    distances = np.linalg.norm(layout[:, None] - layout[None], axis=2)
    nearest = np.argsort(distances, axis=1)[:, 1:size]
    return float(np.mean(nearest // size == np.arange(len(layout))[:, None] // size))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 7])
def test_few_rows_get_principal_components(n: int) -> None:
    vectors = grouped_vectors(n, 1, 0.0) if n else np.zeros((0, 32), np.float32)
    layout = reduce(vectors, n_components=5)
    assert layout.shape == (n, 5)
    assert layout.dtype == np.float32
    # up to five components hold all that up to six centred rows span
    if 1 < n <= 6:
        between = np.linalg.norm(layout[:, None] - layout[None], axis=2)
        expected = np.linalg.norm(vectors[:, None].astype(float) - vectors[None], axis=2)
        np.testing.assert_allclose(between, expected, atol=1e-5)


def test_rows_all_alike_lie_in_the_origin() -> None:
    vectors = grouped_vectors(1, 60, 0.0)
    np.testing.assert_array_equal(reduce(vectors), np.zeros((60, 5)))


def test_groups_of_equal_rows_become_points() -> None:
    layout = reduce(grouped_vectors(3, 20, 0.0), n_components=2)
    assert len(np.unique(layout, axis=0)) == 3
    assert share_of_own_group(layout, 20) == 1


@pytest.mark.slow  # umap-learn compiles in every process
@pytest.mark.parametrize(
    ("n_groups", "size", "spread"),
    [(4, 2, 0.3), (1, 16, 0.5), (3, 30, 0.2), (30, 20, 0.01)],
    ids=["n=8", "n=16", "few components", "many components"],
)
def test_groups_stay_together_and_inputs_untouched(n_groups: int, size: int, spread: float) -> None:
    vectors = grouped_vectors(n_groups, size, spread)
    neighbors = exact_neighbors(vectors, 20)
    given = tuple(array.copy() for array in (vectors, *neighbors))
    for n_components, min_dist in ((5, 0.0), (2, 0.1)):
        layout = reduce(vectors, n_components=n_components, min_dist=min_dist, neighbors=neighbors)
        assert layout.shape == (len(vectors), n_components)
        assert layout.dtype == np.float32
        assert np.isfinite(layout).all()
        if size > 15:
            assert share_of_own_group(layout, size) > 0.95
    for array, before in zip((vectors, *neighbors), given, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.slow
def test_opposite_vectors_stay_finite() -> None:
    half = grouped_vectors(1, 10, 0.05)
    assert np.isfinite(reduce(np.vstack([half, -half]), n_components=2)).all()


@pytest.mark.slow
def test_two_processes_agree_and_the_seed_counts() -> None:
    script = (
        "import hashlib; from concept_lib.modeling.reduce import reduce\n"
        "import numpy as np; vectors = np.frombuffer(bytes.fromhex(input()), np.float32).reshape(-1, 32)\n"
        "print(hashlib.sha256(reduce(vectors).tobytes()).hexdigest())"
    )
    vectors = grouped_vectors(4, 20, 0.3)
    here = reduce(vectors)
    there = subprocess.run(
        [sys.executable, "-c", script],
        input=vectors.tobytes().hex(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()
    assert there.stderr == ""
    np.testing.assert_array_equal(here, reduce(vectors, neighbors=exact_neighbors(vectors, 40)))
    assert not np.array_equal(here, reduce(vectors, seed=7))


def test_refuses_neighbours_of_other_vectors() -> None:
    vectors = grouped_vectors(3, 10, 0.2)
    with pytest.raises(ValueError, match="neighbors must be two arrays"):
        reduce(vectors, neighbors=exact_neighbors(vectors[:20], 15))
    with pytest.raises(ValueError, match="neighbors must be two arrays"):
        reduce(vectors, neighbors=exact_neighbors(vectors, 14))


@pytest.mark.parametrize("sizes", [{"n_neighbors": 1}, {"n_components": 0}])
def test_refuses_sizes_too_small(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        reduce(grouped_vectors(3, 10, 0.2), **sizes)


@pytest.mark.slow
def test_many_rows_start_from_principal_components_and_groups_stay_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = grouped_vectors(3, 30, 0.2)
    spectral = reduce(vectors)
    monkeypatch.setattr(reduction, "SPECTRAL_ROWS", len(vectors))
    np.testing.assert_array_equal(reduce(vectors), spectral)
    monkeypatch.setattr(reduction, "SPECTRAL_ROWS", len(vectors) - 1)
    layout = reduce(vectors)
    assert not np.array_equal(layout, spectral)
    assert share_of_own_group(layout, 30) > 0.95
    np.testing.assert_array_equal(reduce(vectors), layout)
    alike = reduce(np.vstack([grouped_vectors(1, 40, 0.0), grouped_vectors(2, 40, 0.0, seed=4)]))
    assert np.isfinite(alike).all()
    assert share_of_own_group(alike, 40) == 1
