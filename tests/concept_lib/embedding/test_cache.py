"""The vector cache: what it keeps, and what it does when its files are damaged."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from concept_lib.embedding.cache import SHARD_ROWS, VectorCache


def vectors(n: int, seed: int = 0, dim: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)


def names(n: int, start: int = 0) -> list[str]:
    return [f"{i:064x}" for i in range(start, start + n)]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """Three shards of ten."""
    cache = VectorCache(tmp_path / "cache")
    for shard in range(3):
        cache.append(names(10, 10 * shard), vectors(10, shard))
    return cache.folder


def flip_last_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def test_an_empty_cache_has_nothing(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path / "none")
    found, stored = cache.get(["a", "b"])
    assert not found.any()
    assert stored.shape == (2, 0)
    assert cache.get([])[1].shape == (0, 0)
    assert len(cache) == 0
    assert not cache.folder.exists()


def test_vectors_come_back_in_the_order_asked(filled: Path) -> None:
    cache = VectorCache(filled)
    asked = [*names(5, 18), "absent", *reversed(names(12))]
    found, stored = cache.get(asked)
    everything = np.concatenate([vectors(10, shard) for shard in range(3)])
    expected = [*everything[18:23], np.zeros(8, np.float32), *everything[:12][::-1]]
    np.testing.assert_array_equal(stored, expected)
    assert found.tolist() == [True] * 5 + [False] + [True] * 12
    assert cache.has(asked).tolist() == found.tolist()
    assert stored.dtype == np.float32
    assert len(cache) == 30
    assert cache.problems == []


@settings(max_examples=40)  # each writes and syncs real files
@given(
    shards=st.lists(st.lists(st.integers(0, 12), max_size=5), max_size=6), asked=st.lists(st.integers(0, 15))
)
def test_it_is_a_dictionary_that_lasts(shards: list[list[int]], asked: list[int]) -> None:
    expected: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        written = VectorCache(Path(folder))
        for number, ids in enumerate(shards):
            rows = [(f"id{i}", np.array([i, number], np.float32)) for i in dict.fromkeys(ids)]
            written.append([key for key, _ in rows], np.array([row for _, row in rows]).reshape(-1, 2))
            expected.update(rows)
        keys = [f"id{i}" for i in asked]
        found, stored = written.get(keys)
        assert found.tolist() == [key in expected for key in keys]
        assert all((stored[i] == expected[key]).all() for i, key in enumerate(keys) if found[i])
        opened = VectorCache(Path(folder))
        found, stored = opened.get(keys)
        assert found.tolist() == [key in expected for key in keys]
        assert all(stored[i][0] == int(key[2:]) for i, key in enumerate(keys) if found[i])


def test_shards_are_plain_npy_files(filled: Path) -> None:
    stored = [np.load(path, allow_pickle=False) for path in filled.glob("*.npy")]
    assert [array.shape for array in stored] == [(10, 8)] * 3
    assert {path.suffix for path in filled.iterdir()} == {".npy", ".ids"}


def test_opening_reads_no_vectors(filled: Path) -> None:
    for path in filled.glob("*.npy"):
        path.unlink()
    cache = VectorCache(filled)
    assert len(cache) == 30
    assert cache.problems == []


@pytest.mark.parametrize("suffix", [".npy", ".ids"])
def test_a_flipped_bit_costs_one_shard(filled: Path, suffix: str) -> None:
    broken = min(filled.glob(f"*{suffix}"))
    flip_last_byte(broken)
    cache = VectorCache(filled)
    found, stored = cache.get(names(30))
    assert found.sum() == 20
    assert (stored[~found] == 0).all()
    assert len(cache.problems) == 1
    assert broken.stem in cache.problems[0]
    assert "\n" not in cache.problems[0]
    lost = [key for key, there in zip(names(30), found, strict=True) if not there]
    cache.append(lost, vectors(10, 9))
    mended = VectorCache(filled)
    assert mended.has(names(30)).all()
    assert mended.problems == []


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:50])])
def test_a_lost_or_cut_file_costs_one_shard(filled: Path, damage: object) -> None:
    damage(min(filled.glob("*.npy")))
    cache = VectorCache(filled)
    assert cache.has(names(30)).sum() == 20
    assert len(cache.problems) == 1


def test_only_shards_that_are_asked_for_are_checked(filled: Path) -> None:
    cache = VectorCache(filled)
    for path in filled.glob("*.npy"):
        if not (np.load(path)[0] == vectors(10, 1)[0]).all():
            flip_last_byte(path)
    assert cache.has(names(10, 10)).all()
    assert cache.problems == []


def test_another_shard_steps_in_for_a_broken_one(filled: Path) -> None:
    VectorCache(filled).append(names(10), vectors(10, 7))
    copies = [p for p in filled.glob("*.npy") if (np.load(p)[0] == vectors(10, 7)[0]).all()]
    flip_last_byte(copies[0])
    found, stored = VectorCache(filled).get(names(10))
    assert found.all()
    np.testing.assert_array_equal(stored, vectors(10, 0))


def test_a_killed_writer_leaves_nothing_that_counts(filled: Path) -> None:
    (filled / "0123.npy").write_bytes(b"written before its ids")
    (filled / ".tmp-abc").write_bytes(b"half")
    assert len(VectorCache(filled)) == 30


def test_the_same_shard_twice_is_one(filled: Path) -> None:
    before = sorted(filled.iterdir())
    VectorCache(filled).append(names(10), vectors(10, 0))
    assert sorted(filled.iterdir()) == before


def test_a_shard_has_its_bounds(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    cache.append(names(SHARD_ROWS), np.ones((SHARD_ROWS, 2), np.float32))
    with pytest.raises(ValueError, match="a shard takes as many, <= 4096"):
        cache.append(names(SHARD_ROWS + 1), np.ones((SHARD_ROWS + 1, 2), np.float32))
    with pytest.raises(ValueError, match="2 ids"):
        cache.append(names(2), vectors(3))
    with pytest.raises(ValueError, match="8 numbers in a cache of 2"):
        cache.append(names(2), vectors(2))


WRITER = """
import sys
from pathlib import Path
import numpy as np
from concept_lib.embedding.cache import VectorCache

cache, start = VectorCache(Path(sys.argv[1])), int(sys.argv[2])
for shard in range(start, start + 1000, 50):
    rows = np.arange(shard, shard + 50)
    cache.append([f"{row:064x}" for row in rows], np.repeat(rows[:, None], 8, axis=1))
"""


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    # The second half of the first writer's ids is also the first half of the second one's.
    commands = [[sys.executable, "-c", WRITER, str(tmp_path), start] for start in ("0", "500")]
    writers = [subprocess.Popen(command) for command in commands]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    found, stored = VectorCache(tmp_path).get(names(1500))
    assert found.all()
    assert (stored == np.arange(1500)[:, None]).all()
    assert len(list(tmp_path.iterdir())) == 2 * 30  # shards of the same content are one


def test_removed_vectors_are_in_no_file_and_the_others_stay(filled: Path) -> None:
    everything = np.concatenate([vectors(10, shard) for shard in range(3)])
    cache = VectorCache(filled)
    gone = [*names(3, 8), *names(10, 20), "absent"]  # of two shards, and a whole one
    assert cache.remove(gone) == 13
    for opened in (cache, VectorCache(filled)):
        assert sorted(opened.ids) == [*names(8), *names(9, 11)]
        found, stored = opened.get(names(30))
        assert found.tolist() == [True] * 8 + [False] * 3 + [True] * 9 + [False] * 10
        np.testing.assert_array_equal(stored[found], everything[found])
    files = [path.read_bytes() for path in filled.iterdir()]
    assert not any(row.tobytes() in file for row in everything[~found] for file in files)
    assert VectorCache(filled).remove(gone) == 0


def test_a_removal_that_was_ended_is_finished_by_the_next(filled: Path, monkeypatch) -> None:
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(VectorCache, "_unlink", die)
        with pytest.raises(KeyboardInterrupt):
            VectorCache(filled).remove(names(3))
    assert VectorCache(filled).has(names(30)).all()
    assert VectorCache(filled).remove(names(3)) == 3
    assert VectorCache(filled).has(names(30)).tolist() == [False] * 3 + [True] * 27
