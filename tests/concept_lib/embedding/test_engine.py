"""Embedding what the cache lacks: what is decoded, what is committed, what is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from concept_lib.embedding import engine
from concept_lib.embedding.cache import VectorCache
from concept_lib.embedding.engine import EmbedReport, embed_images
from concept_lib.images.pixels import PixelStore


@dataclass
class FakeDecoded:
    image_id: str | None
    reason: str | None
    pixels: np.ndarray | None


class FakePool:
    """Decodes path b"7" to pixels full of 7s; `spoilt` maps a path to what comes instead."""

    def __init__(self, spoilt: dict[bytes, FakeDecoded] | None = None) -> None:
        self.spoilt = spoilt or {}
        self.decoded: list[bytes] = []
        self.asked: tuple[bool, int | None] | None = None

    def map(
        self, paths: Iterable[bytes], *, thumbnail: bool, pixel_size: int | None
    ) -> Iterator[FakeDecoded]:
        self.asked = (thumbnail, pixel_size)
        for path in paths:
            self.decoded.append(path)
            pixels = np.full((4, 4, 3), int(path) % 256, np.uint8)
            yield self.spoilt.get(path) or FakeDecoded(name(path), None, pixels)


class FakeEncoder:
    """Turns pixels full of 7s into the vector (7, 1)."""

    image_size = 4

    def __init__(self, fails_after: int | None = None) -> None:
        self.batches: list[int] = []
        self.fails_after = fails_after

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        if self.fails_after is not None and len(self.batches) >= self.fails_after:
            raise RuntimeError("out of memory")
        self.batches.append(len(pixels))
        return np.array([[array.mean(), 1] for array in pixels], np.float32)


def name(path: bytes) -> str:
    return hashlib.sha256(path).hexdigest()


def sources(numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    return [(name(str(i).encode()), str(i).encode()) for i in numbers]


def ids(numbers: Iterable[int]) -> list[str]:
    return [key for key, _ in sources(numbers)]


def test_pixels_that_are_there_are_not_decoded_again(tmp_path: Path) -> None:
    cache, pool = VectorCache(tmp_path / "vectors"), FakePool()
    with PixelStore(tmp_path / "pixels") as pixels:
        for i in (1, 2, 5):
            pixels.put(ids([i])[0], np.full((4, 4, 3), 100 + i, np.uint8))
        report = embed_images(FakeEncoder(), cache, sources(range(6)), pool, batch_size=4, pixels=pixels)
        assert not any(key in pixels for key in ids(range(6)))
    assert report == EmbedReport(6, {})
    assert pool.decoded == [b"0", b"3", b"4"]
    assert cache.get(ids(range(6)))[1][:, 0].tolist() == [0, 101, 102, 3, 4, 105]


def test_every_image_gets_its_own_vector(tmp_path: Path) -> None:
    cache, encoder, pool = VectorCache(tmp_path), FakeEncoder(), FakePool()
    report = embed_images(encoder, cache, sources(range(10)), pool, batch_size=4)
    assert report == EmbedReport(10, {})
    assert encoder.batches == [4, 4, 2]
    assert pool.asked == (False, 4)
    found, stored = VectorCache(tmp_path).get(ids(range(10)))
    assert found.all()
    assert stored[:, 0].tolist() == list(range(10))


def test_only_what_is_missing_is_decoded(tmp_path: Path) -> None:
    embed_images(FakeEncoder(), VectorCache(tmp_path), sources(range(10)), FakePool(), batch_size=4)
    encoder, pool = FakeEncoder(), FakePool()
    wanted = sources([11, 3, 12, 7])
    assert embed_images(encoder, VectorCache(tmp_path), wanted, pool, batch_size=4) == EmbedReport(2, {})
    assert pool.decoded == [b"11", b"12"]
    pool = FakePool()
    assert embed_images(encoder, VectorCache(tmp_path), wanted, pool, batch_size=4) == EmbedReport(0, {})
    assert pool.decoded == []


def test_a_content_in_many_files_is_read_once(tmp_path: Path) -> None:
    pool = FakePool()
    copies = [(name(b"1"), path) for path in (b"1", b"1", b"001")]
    assert embed_images(FakeEncoder(), VectorCache(tmp_path), copies, pool, batch_size=4).n_embedded == 1
    assert pool.decoded == [b"1"]


def test_failures_have_reasons_and_cost_nobody_else(tmp_path: Path) -> None:
    pool = FakePool(
        {
            b"0": FakeDecoded(name(b"0"), "truncated", None),
            b"3": FakeDecoded(name(b"other"), None, np.zeros((4, 4, 3), np.uint8)),
            b"4": FakeDecoded(name(b"other"), "truncated", None),
            b"5": FakeDecoded(None, "cannot be read", None),
        }
    )
    cache = VectorCache(tmp_path)
    report = embed_images(FakeEncoder(), cache, sources(range(6)), pool, batch_size=4)
    assert report.n_embedded == 2
    assert list(report.failures.items()) == [
        (name(b"0"), "truncated"),
        (name(b"3"), "changed while it was read"),
        (name(b"4"), "changed while it was read"),
        (name(b"5"), "cannot be read"),
    ]
    assert cache.has(ids(range(6))).tolist() == [False, True, True, False, False, False]


def test_progress_counts_what_is_done(tmp_path: Path) -> None:
    pool = FakePool({b"1": FakeDecoded(None, "gone", None), b"6": FakeDecoded(None, "gone", None)})
    calls: list[tuple[int, int]] = []
    embed_images(
        FakeEncoder(),
        VectorCache(tmp_path),
        sources(range(7)),
        pool,
        batch_size=3,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls[-1] == (7, 7)
    assert {total for _, total in calls} == {7}
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


def test_nothing_to_do(tmp_path: Path) -> None:
    assert embed_images(FakeEncoder(), VectorCache(tmp_path), [], FakePool(), batch_size=3) == EmbedReport(
        0, {}
    )


def test_what_was_embedded_survives_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of memory"):
        embed_images(
            FakeEncoder(fails_after=2), VectorCache(tmp_path), sources(range(10)), FakePool(), batch_size=3
        )
    assert VectorCache(tmp_path).has(ids(range(10))).sum() == 6


def test_it_commits_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "COMMIT_IMAGES", 6)
    seen = []

    class Watching(FakeEncoder):
        def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
            seen.append(len(VectorCache(tmp_path)))
            return super().encode_images(pixels)

    embed_images(Watching(), VectorCache(tmp_path), sources(range(12)), FakePool(), batch_size=2)
    assert seen == [0, 0, 0, 6, 6, 6]
    assert len(VectorCache(tmp_path)) == 12


def test_a_batch_may_exceed_a_shard(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    assert (
        embed_images(FakeEncoder(), cache, sources(range(5000)), FakePool(), batch_size=5000).n_embedded
        == 5000
    )
    assert len(list(tmp_path.glob("*.npy"))) == 2
    _, stored = cache.get(ids(range(5000)))
    assert (stored[:, 0] == np.arange(5000) % 256).all()
