"""Vectors that were computed once, kept by the id of what they are of."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concept_lib.storage import file_digest, write_file

SHARD_ROWS = 4096


@dataclass(slots=True)
class _Shard:
    """One pair of files: ``<name>.ids``, written last, which vouches for ``<name>.npy``."""

    name: str
    digest: str
    dim: int
    ids: list[str]
    verified: bool = False


class VectorCache:
    """Append-only store of vectors in one folder, which any number of processes may share.

    A shard is a ``.npy`` of up to 4,096 vectors and a text file: the digest of the ``.npy`` and the length
    of a vector on its first line, then an id a line. A shard is named by the hash of that text, so that
    writers never meet; it counts once its text file is there, so that a killed writer leaves nothing half.
    Opening reads ids only; a shard's vectors are checked against their digest when first asked for.

    Parameters
    ----------
    folder
        Made when first written to. One folder an encoder: see `Encoder.fingerprint`.

    Attributes
    ----------
    problems
        A line for each damaged shard; it was removed, and its vectors count as missing.

    Examples
    --------
    >>> import tempfile
    >>> cache = VectorCache(Path(tempfile.mkdtemp()))
    >>> cache.append(["a", "b"], np.eye(2, dtype=np.float32))
    >>> found, vectors = cache.get(["b", "c"])
    >>> found, vectors
    (array([ True, False]), array([[0., 1.],
           [0., 0.]], dtype=float32))
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self._shards: list[_Shard] = []
        for path in sorted(folder.glob("*.ids")):
            self._open(path)
        self._index()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def ids(self) -> list[str]:
        """Ids of all vectors, whole or not."""
        return list(self._rows)

    @property
    def row_bytes(self) -> int:
        """Bytes of one vector."""
        return 4 * self._shards[0].dim if self._shards else 0

    def has(self, ids: Sequence[str]) -> np.ndarray:
        """Tell which ids have a vector that is whole.

        Returns
        -------
        np.ndarray
            bool, shape (n,).
        """
        return self._locate(ids) >= 0

    def get(self, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Read vectors.

        Returns
        -------
        found
            bool, shape (n,).
        vectors
            float32, shape (n, dim), zeros where missing; dim is 0 while the cache is empty.
        """
        rows = self._locate(ids)
        found = rows >= 0
        vectors = np.zeros((len(ids), self._shards[0].dim if self._shards else 0), np.float32)
        starts = self._starts()
        owners = np.searchsorted(starts, rows, side="right") - 1
        for owner in np.unique(owners[found]):
            mine = owners == owner
            # Opened anew for each read: a handle a shard would use up the process's open files.
            stored = np.load(self._path(self._shards[owner].name), mmap_mode="r", allow_pickle=False)
            vectors[mine] = stored[rows[mine] - starts[owner]]
        return found, vectors

    def append(self, ids: Sequence[str], vectors: np.ndarray) -> None:
        """Commit one shard: after this call the vectors survive a crash.

        Parameters
        ----------
        ids
            At most 4,096, without line breaks.
        vectors
            Shape (n, dim), stored as float32.
        """
        if vectors.ndim != 2 or len(ids) != len(vectors) or len(ids) > SHARD_ROWS:
            raise ValueError(f"{len(ids)} ids and vectors {vectors.shape}: a shard takes as many, <= 4096")
        if self._shards and vectors.shape[1] != self._shards[0].dim:
            raise ValueError(f"vectors of {vectors.shape[1]} numbers in a cache of {self._shards[0].dim}")
        if not ids:
            return
        buffer = io.BytesIO()
        np.save(buffer, np.ascontiguousarray(vectors, dtype=np.float32), allow_pickle=False)
        data = buffer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        text = "\n".join([f"{digest} {vectors.shape[1]}", *ids, ""]).encode()
        shard = _Shard(_name(text), digest, vectors.shape[1], list(ids), verified=True)
        write_file(self._path(shard.name), data)
        write_file(self.folder / f"{shard.name}.ids", text)
        first = sum(len(other.ids) for other in self._shards)
        self._shards.append(shard)
        self._rows.update(zip(ids, range(first, first + len(ids)), strict=True))

    def remove(self, ids: Collection[str]) -> int:
        """Remove vectors: what stays of their shards is written to new ones first.

        A process that dies meanwhile leaves some of them where they were; removing again removes the rest. No other
        process may write meanwhile.

        Returns
        -------
        int
            How many were there.
        """
        gone, n_removed = frozenset(ids), 0
        for shard in [shard for shard in self._shards if not gone.isdisjoint(shard.ids)]:
            rows = [row for row, image_id in enumerate(shard.ids) if image_id not in gone]
            n_removed += len(shard.ids) - len(rows)
            if self._is_whole(shard):
                stored = np.load(self._path(shard.name), allow_pickle=False)
                self.append([shard.ids[row] for row in rows], stored[rows])
            self._shards.remove(shard)
            self._unlink(shard.name)
        self._index()
        return n_removed

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.npy"

    def _open(self, path: Path) -> None:
        """Read the ids of a shard."""
        try:
            text = path.read_bytes()
        except FileNotFoundError:  # another process has just found it damaged and removed it
            return
        if _name(text) != path.stem:
            self._discard(path.stem, "its ids are damaged")
            return
        head, *ids = text.decode().splitlines()
        digest, dim = head.split()
        self._shards.append(_Shard(path.stem, digest, int(dim), ids))

    def _index(self) -> None:
        """Number the rows of all shards through; of an id that is there twice, the last counts."""
        self._rows: dict[str, int] = {}
        for start, shard in zip(self._starts(), self._shards, strict=True):
            self._rows.update(zip(shard.ids, range(start, start + len(shard.ids)), strict=True))

    def _starts(self) -> np.ndarray:
        """Number of the first row of each shard."""
        sizes = np.array([len(shard.ids) for shard in self._shards], dtype=np.int64)
        starts: np.ndarray = np.cumsum(sizes) - sizes
        return starts

    def _locate(self, ids: Sequence[str]) -> np.ndarray:
        """Row numbers, int64, shape (n,), -1 where missing; every row lies in a verified shard."""
        while True:
            rows = np.fromiter((self._rows.get(key, -1) for key in ids), np.int64, len(ids))
            owners = np.unique(np.searchsorted(self._starts(), rows[rows >= 0], side="right") - 1)
            broken = [self._shards[owner] for owner in owners if not self._is_whole(self._shards[owner])]
            if not broken:
                return rows
            for shard in broken:
                self._shards.remove(shard)
                self._discard(shard.name, f"its {len(shard.ids)} vectors are damaged")
            self._index()  # another shard may hold some of the same ids

    def _is_whole(self, shard: _Shard) -> bool:
        """Check a shard's digest, once."""
        if not shard.verified:
            try:
                shard.verified = file_digest(self._path(shard.name)) == shard.digest
            except FileNotFoundError:
                return False
        return shard.verified

    def _discard(self, name: str, why: str) -> None:
        """Remove a damaged shard, so that the next reader finds only what replaces it."""
        self.problems.append(f"vector shard {name}: {why}; removed, to be computed again")
        self._unlink(name)

    def _unlink(self, name: str) -> None:
        (self.folder / f"{name}.ids").unlink(missing_ok=True)
        self._path(name).unlink(missing_ok=True)


def _name(text: bytes) -> str:
    """Name of a shard: the hash of its ids file."""
    return hashlib.sha256(text).hexdigest()[:32]
