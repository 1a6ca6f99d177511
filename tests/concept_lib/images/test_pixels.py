"""Pixels between two steps of one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from concept_lib.images.pixels import PixelStore

RNG = np.random.default_rng(5)


def picture(height: int, width: int) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, 3), np.uint8)


def test_what_is_put_is_taken_once(tmp_path: Path) -> None:
    small, tall = picture(4, 6), picture(9, 3)
    with PixelStore(tmp_path / "pixels") as store:
        store.put("small", small)
        store.put("tall", tall)
        assert "small" in store
        np.testing.assert_array_equal(store.take("tall"), tall)
        np.testing.assert_array_equal(store.take("small"), small)
        assert store.take("small") is None
        assert "small" not in store
        assert store.take("never") is None
        assert not list((tmp_path / "pixels").iterdir())


def test_what_finds_no_room_is_left_out_and_room_comes_back(tmp_path: Path) -> None:
    with PixelStore(tmp_path / "pixels", most_bytes=100) as store:
        store.put("a", picture(4, 6))  # 72 bytes
        store.put("b", picture(4, 6))
        assert "b" not in store
        store.take("a")
        store.put("b", picture(4, 6))
        assert "b" in store


def test_leaving_removes_the_folder_whatever_happens(tmp_path: Path) -> None:
    def fail() -> None:
        with PixelStore(tmp_path / "pixels") as store:
            store.put("a", picture(4, 6))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not (tmp_path / "pixels").exists()


def test_what_a_killed_run_left_is_never_handed_over(tmp_path: Path) -> None:
    PixelStore(tmp_path / "pixels").__enter__().put("a", picture(4, 6))
    with PixelStore(tmp_path / "pixels") as store:
        assert not (tmp_path / "pixels").exists()
        assert store.take("a") is None


def test_outside_of_a_run_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="entered"):
        PixelStore(tmp_path / "pixels").put("a", picture(4, 6))
