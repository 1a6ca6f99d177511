"""Where files lie, and the one way they are written.

Every write goes to a temporary name beside its target, is synced, and is then renamed, so that a reader
sees the old file or the new one. A digest stands beside every stored array and table: neither Parquet
nor ``.npy`` notices a flipped bit by itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TEMPORARY_PREFIX = ".tmp-"


def write_file(path: Path, data: bytes | Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Write a file so that it is whole or absent.

    Parameters
    ----------
    path
        Target; missing parent folders are made.
    data
        The bytes, or a function that writes them to an open binary file.
    durable
        Sync to disk before the rename. Caches that can be made again do without.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "deep" / "note.txt"
    >>> write_file(target, b"kept")
    >>> target.read_bytes()
    b'kept'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f"{TEMPORARY_PREFIX}{uuid4().hex}"
    try:
        with temporary.open("wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                data(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename inside a folder last over a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes.

    Examples
    --------
    >>> canonical_json({"b": 1, "a": [2.5, None]})
    b'{"a":[2.5,null],"b":1}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Contents:
    """What a step makes: arrays, tables, files and a little JSON.

    Parameters
    ----------
    arrays
        Stored as ``<name>.npy``, read memory-mapped.
    tables
        Stored as ``<name>.parquet``.
    files
        Stored under their own names.
    info
        Facts that later steps need and that belong to the content: no times, no run ids.
    counts
        Facts of this one run, such as how many images it embedded: not part of the content.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredAsset:
    """One data version of one asset on disk."""

    folder: Path
    info: Mapping[str, Any]
    digests: Mapping[str, str]

    @property
    def data_version(self) -> str:
        """Hash of the content."""
        return self.folder.name

    def array(self, name: str) -> np.ndarray:
        """Memory-mapped, read-only array."""
        mapped: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return mapped

    def table(self, name: str) -> pa.Table:
        """Whole Arrow table."""
        return pq.read_table(self.folder / f"{name}.parquet")

    def file(self, name: str) -> Path:
        """Path of a stored file."""
        return self.folder / name

    def is_there(self) -> bool:
        """Whether every file is there, whatever it holds."""
        return all((self.folder / name).is_file() for name in self.digests)

    def is_whole(self) -> bool:
        """Whether every file is there and has the digest it was stored with."""
        paths = {name: self.folder / name for name in self.digests}
        return all(path.is_file() and file_digest(path) == self.digests[name] for name, path in paths.items())


class Home:
    """The one folder that holds everything the product keeps.

    Parameters
    ----------
    path
        The folder; made when first written to.

    Examples
    --------
    >>> home = Home(Path("data"))
    >>> home.thumbnail("ab" + "0" * 62).relative_to(home.path).parts[:3]
    ('cache', 'thumbnails', 'ab')
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would follow links
        self.database = self.path / "concepts.duckdb"  # the published state
        self.curation = self.path / "curation.json"  # what the user decided about concepts
        self.settings_file = self.path / "settings.toml"  # what the command line keeps
        self.config_pointer = self.path / "concept_toml_path"  # where the concept.toml in force lies
        self.lock_file = self.path / "refresh.lock"  # held while a refresh runs
        self.experiment_lock = self.path / "experiment.lock"  # held while an experiment logs pictures
        self.paused = (
            self.path / "paused"
        )  # why no refresh starts by itself, in one line; absent where it may
        self.forgotten = self.path / "forgotten"  # ids of images that no scan takes in, one a line
        self.dagster = self.path / "dagster"  # Dagster's own storage
        self.addresses = self.path / "ui.json"  # where the interfaces of this home answer, while they do
        self.mlflow_database = self.path / "mlflow.db"
        self.mlflow_artifacts = self.path / "mlartifacts"
        self.logs = self.path / "logs"  # what the servers of `concept ui` said last
        self.ui_lock = self.path / "ui.lock"  # held while they run
        self.sample = self.path / "sample"  # the rendered gallery
        self.histories = self.path / "history"  # one folder a refresh
        self.assets = self.path / "assets"
        self.cache = self.path / "cache"
        self.thumbnails = self.cache / "thumbnails"
        self.vector_caches = self.cache / "vectors"  # one folder an encoder
        self.pixels = self.cache / "pixels"  # decoded, and to be embedded by the run in progress
        self.scan_cache = self.cache / "scan.parquet"  # size, time, inode and hash of each file

    def history(self, refresh_id: int) -> Path:
        """History folder of one refresh."""
        return self.histories / str(refresh_id)

    def vectors(self, fingerprint: str) -> Path:
        """Vector cache of one encoder."""
        return self.vector_caches / fingerprint

    def thumbnail(self, image_id: str) -> Path:
        """Thumbnail of one content."""
        return self.thumbnails / image_id[:2] / f"{image_id}.jpg"

    def relative(self, path: Path) -> str:
        """Path as the database stores it: relative to the home, with forward slashes."""
        return path.relative_to(self.path).as_posix()

    def asset_folder(self, asset: str) -> Path:
        """All data versions of an asset."""
        return self.assets / asset

    def save_asset(self, asset: str, contents: Contents) -> StoredAsset:
        """Store what a step made under the hash of its content.

        A version that is already there and whole is kept as it is; a damaged one is replaced.
        """
        parent = self.asset_folder(asset)
        staging = parent / f"{TEMPORARY_PREFIX}{uuid4().hex}"
        try:
            _write_contents(staging, contents)
            digests = {path.name: file_digest(path) for path in sorted(staging.iterdir())}
            meta = canonical_json({"digests": digests, "info": dict(contents.info)})
            write_file(staging / "meta.json", meta)
            final = parent / hashlib.sha256(meta).hexdigest()[:32]
            existing = self.load_asset(asset, final.name)
            if existing is not None and existing.is_whole():
                return existing
            if final.exists():
                shutil.rmtree(final)
            staging.rename(final)
            sync_folder(parent)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return StoredAsset(final, dict(contents.info), digests)

    def load_asset(self, asset: str, data_version: str) -> StoredAsset | None:
        """Open a stored version; None where it is absent or its description is damaged."""
        folder = self.asset_folder(asset) / data_version
        try:
            raw = (folder / "meta.json").read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(raw).hexdigest()[:32] != data_version:
            return None
        meta = json.loads(raw)
        return StoredAsset(folder, meta["info"], meta["digests"])

    def needless_assets(self, keep: Mapping[str, set[str]]) -> list[Path]:
        """Folders of data versions that nothing refers to, and leftovers of killed runs.

        Parameters
        ----------
        keep
            Data versions to keep, by asset; assets that are not named are left alone.
        """
        roots = [self.asset_folder(asset) for asset in keep]
        return [
            folder
            for root in roots
            for folder in (sorted(root.iterdir()) if root.is_dir() else ())
            if folder.is_dir() and folder.name not in keep[root.name]
        ]

    def prune_assets(self, keep: Mapping[str, set[str]]) -> int:
        """Remove the `needless_assets`, and tell how many folders went."""
        needless = self.needless_assets(keep)
        for folder in needless:
            shutil.rmtree(folder)
        return len(needless)


def _write_contents(folder: Path, contents: Contents) -> None:
    """Write arrays, tables and files into a folder."""
    folder.mkdir(parents=True)
    for name, array in contents.arrays.items():
        write_file(folder / f"{name}.npy", partial(np.save, arr=array, allow_pickle=False))
    for name, table in contents.tables.items():
        write_file(folder / f"{name}.parquet", partial(pq.write_table, table))
    for name, data in contents.files.items():
        write_file(folder / name, data)
