"""Where images become vectors: decode what the cache lacks, embed it in batches, commit as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from concept_lib.embedding.cache import SHARD_ROWS
from concept_lib.progress import Progress

COMMIT_IMAGES = 1024  # a shard this often: small enough to lose little, large enough for a million images
COMMIT_SECONDS = 20.0


class DecodedPixels(Protocol):
    """What the decoding pool gives for a file."""

    @property
    def image_id(self) -> str | None:
        """SHA-256 of the bytes that were decoded, or None when they could not be read."""

    @property
    def reason(self) -> str | None:
        """Why there are no pixels."""

    @property
    def pixels(self) -> np.ndarray | None:
        """RGB, uint8, shape (height, width, 3); the array's memory is the receiver's own."""


class Decoder(Protocol):
    """The decoding pool, as far as it is used here."""

    def map(
        self, paths: Iterable[bytes], *, thumbnail: bool, pixel_size: int | None
    ) -> Iterator[DecodedPixels]:
        """Decode files in the order given, some ahead of what was asked for."""


class Pixels(Protocol):
    """Pixels that were decoded before, as far as they are used here."""

    def __contains__(self, image_id: str) -> bool:
        """Whether there are pixels of an image."""

    def take(self, image_id: str) -> np.ndarray | None:
        """RGB, uint8, shape (height, width, 3), handed over once."""


class VectorStore(Protocol):
    """Where vectors are kept, as far as it is used here."""

    def has(self, ids: Sequence[str]) -> np.ndarray:
        """Whether there is a vector, bool, shape (n,)."""

    def append(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Keep vectors, float32, shape (n, dim)."""


class ImageEncoder(Protocol):
    """The image tower, as far as it is used here; another backend needs no more than this."""

    @property
    def image_size(self) -> int:
        """Pixels of the shorter side."""

    def encode_images(self, pixels: Sequence[np.ndarray]) -> np.ndarray:
        """Unit vectors, float32, shape (n, dim)."""


@dataclass(frozen=True, slots=True)
class EmbedReport:
    """What `embed_images` did.

    Parameters
    ----------
    n_embedded
        Images that were embedded now; the others were in the cache or failed.
    failures
        Reason, by image id.
    """

    n_embedded: int
    failures: dict[str, str]


def embed_images(
    encoder: ImageEncoder,
    cache: VectorStore,
    sources: Sequence[tuple[str, bytes]],
    pool: Decoder,
    *,
    batch_size: int,
    pixels: Pixels | None = None,
    progress: Progress | None = None,
) -> EmbedReport:
    """Put the vector of every image into the cache.

    The pool decodes ahead while the encoder computes. What was embedded is committed about every 1,024
    images or 20 seconds, and also when the work is interrupted: the next run goes on from there.

    Parameters
    ----------
    sources
        Image id and absolute path of each image; of an id that comes twice, the first path is read.
    batch_size
        Images in one pass of the encoder.
    pixels
        Of images that were decoded already; their files are not read.
    progress
        Told of the images that the cache lacks, failed ones included.
    """
    missing = _missing(cache, sources)
    work = _Work(encoder, cache, batch_size)
    try:
        for done, (key, image) in enumerate(_decoded(missing, pool, encoder.image_size, pixels), start=1):
            work.take(key, image)
            if progress:
                progress(done - work.n_waiting, len(missing))
        work.embed()
    finally:
        work.commit()
    if progress:
        progress(len(missing), len(missing))
    return EmbedReport(work.n_committed, work.failures)


def _missing(cache: VectorStore, sources: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Sources without a vector, each id once."""
    wanted: dict[str, bytes] = {}
    for key, path in sources:
        wanted.setdefault(key, path)
    known = cache.has(list(wanted))
    return [source for source, found in zip(wanted.items(), known, strict=True) if not found]


@dataclass(frozen=True, slots=True)
class _Ready:
    """Pixels that no decoder was asked for."""

    image_id: str
    pixels: np.ndarray | None
    reason: str | None = None


def _decoded(
    missing: Sequence[tuple[str, bytes]], pool: Decoder, image_size: int, pixels: Pixels | None
) -> Iterator[tuple[str, DecodedPixels]]:
    """Each image in its turn: from the pixels that are there, or from its file."""
    ready = set() if pixels is None else {key for key, _ in missing if key in pixels}
    files = (path for key, path in missing if key not in ready)
    decoded = iter(pool.map(files, thumbnail=False, pixel_size=image_size))
    for key, _ in missing:
        yield key, _Ready(key, pixels.take(key)) if pixels is not None and key in ready else next(decoded)


class _Work:
    """Gathers pixels into batches and vectors into shards, at a steady rhythm."""

    def __init__(self, encoder: ImageEncoder, cache: VectorStore, batch_size: int) -> None:
        self.n_committed = 0
        self.failures: dict[str, str] = {}
        self._encoder = encoder
        self._cache = cache
        self._batch_size = batch_size
        self._batch: list[tuple[str, np.ndarray]] = []
        self._ids: list[str] = []
        self._vectors: list[np.ndarray] = []
        self._last_commit = time.monotonic()

    @property
    def n_waiting(self) -> int:
        """Images that were taken and not embedded yet."""
        return len(self._batch)

    def take(self, key: str, image: DecodedPixels) -> None:
        """Add an image, or why there is none; embed when there are enough, commit when it is time."""
        if image.image_id not in (None, key):
            self.failures[key] = "changed while it was read"
        elif image.pixels is None:
            self.failures[key] = image.reason or "could not be decoded"
        else:
            self._batch.append((key, image.pixels))
        if len(self._batch) >= self._batch_size:
            self.embed()
            if len(self._ids) >= COMMIT_IMAGES or time.monotonic() - self._last_commit >= COMMIT_SECONDS:
                self.commit()

    def embed(self) -> None:
        """Turn the batch into vectors."""
        if self._batch:
            self._vectors.append(self._encoder.encode_images([pixels for _, pixels in self._batch]))
            self._ids.extend(key for key, _ in self._batch)
            self._batch.clear()

    def commit(self) -> None:
        """Write the vectors that are there."""
        if self._ids:
            vectors = np.concatenate(self._vectors)
            for start in range(0, len(self._ids), SHARD_ROWS):
                rows = slice(start, start + SHARD_ROWS)
                self._cache.append(self._ids[rows], vectors[rows])
            self.n_committed += len(self._ids)
        self._ids, self._vectors, self._last_commit = [], [], time.monotonic()
