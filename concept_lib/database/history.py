"""What each refresh leaves behind for ever: one folder of Parquet files with digests.

The past tables of every new database are made from these folders, so that a lost database can be rebuilt.
A folder counts once it is marked committed, which happens after the database was put in place.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from concept_lib.database.publish import SCHEMA_VERSION, product_version
from concept_lib.errors import ConceptError
from concept_lib.storage import TEMPORARY_PREFIX, canonical_json, file_digest, sync_folder, write_file

META, MARKER = "meta.json", "committed"
_TIME = pa.timestamp("us", tz="UTC")
_REFRESH_COUNTS = ("n_files", "n_failed", "n_images", "n_embedded", "n_reused", "n_concepts", "n_outliers")

PAST_SCHEMAS: dict[str, pa.Schema] = {
    "refreshes": pa.schema(
        {
            "refresh_id": pa.int32(),
            "previous_refresh_id": pa.int32(),
            "restored_refresh_id": pa.int32(),
            "mode": pa.string(),
            "fit_refresh_id": pa.int32(),
            "title": pa.string(),
            "reason": pa.string(),
            "started_at": _TIME,
            "published_at": _TIME,
            "dagster_run_id": pa.string(),
            "mlflow_run_id": pa.string(),
            **dict.fromkeys(_REFRESH_COUNTS, pa.int32()),
            "metrics": pa.map_(pa.string(), pa.float64()),
            "settings": pa.string(),
            "data_versions": pa.string(),
        }
    ),
    "concept_history": pa.schema(
        {
            "refresh_id": pa.int32(),
            "concept_id": pa.int32(),
            "n_images": pa.int32(),
            "label": pa.string(),
            "named": pa.bool_(),
            "label_confidence": pa.float64(),
            "drift": pa.float64(),
            "collage": pa.string(),
            "embedding": pa.list_(pa.float32()),  # a list: models differ in dimension
        }
    ),
    "concept_events": pa.schema(
        {
            "refresh_id": pa.int32(),
            "event_no": pa.int32(),
            "kind": pa.string(),
            "concept_id": pa.int32(),
            "other_concept_id": pa.int32(),
            "overlap": pa.float64(),
            "n_before": pa.int32(),
            "n_after": pa.int32(),
            "label_before": pa.string(),
            "label_after": pa.string(),
        }
    ),
    "image_moves": pa.schema(
        {
            "refresh_id": pa.int32(),
            "image_id": pa.string(),
            "from_concept_id": pa.int32(),
            "to_concept_id": pa.int32(),
        }
    ),
    "curation": pa.schema(
        {
            "refresh_id": pa.int32(),
            "action_no": pa.int32(),
            "action": pa.string(),
            "concept_id": pa.int32(),
            "other_concept_id": pa.int32(),
            "name": pa.string(),
            "undone_refresh_id": pa.int32(),
        }
    ),
}
"""Columns of the past tables, as they are stored and as `load_history` returns them."""
_WHOLE = {"curation"}  # written whole by every refresh, since an old action may be undone by a new one


def write_history(
    folder: Path,
    *,
    refresh: pa.Table,
    concepts: pa.Table,
    events: pa.Table,
    moves: pa.Table,
    curation: pa.Table,
    next_free_id: int,
) -> None:
    """Store what a refresh adds to the past; it counts after `mark_committed`.

    Parameters
    ----------
    folder
        ``history/<refresh_id>``. What an uncommitted refresh of the same number left is replaced.
    refresh
        The one row of ``refreshes``.
    concepts, events, moves
        Rows of ``concept_history``, ``concept_events`` and ``image_moves``, with every column of
        `PAST_SCHEMAS`; types that cast without loss are cast.
    curation
        All rows of ``curation``, those of earlier refreshes too.
    next_free_id
        The first concept id that no concept has ever had.

    Raises
    ------
    ConceptError
        When the folder belongs to a committed refresh.
    """
    if (folder / MARKER).exists():
        raise ConceptError(f"{folder} belongs to a published refresh; take a refresh id that is still free")
    for leftover in folder.parent.glob(f"{TEMPORARY_PREFIX}*"):  # of a run that was killed
        shutil.rmtree(leftover)
    given = {
        "refreshes": refresh,
        "concept_history": concepts,
        "concept_events": events,
        "image_moves": moves,
        "curation": curation,
    }
    staging = folder.parent / f"{TEMPORARY_PREFIX}{uuid4().hex}"
    staging.mkdir(parents=True)
    try:
        digests = {}
        for name, schema in PAST_SCHEMAS.items():
            table = given[name].select(schema.names).cast(schema)
            file = staging / f"{name}.parquet"
            write_file(file, partial(pq.write_table, table))
            digests[file.name] = file_digest(file)
        meta = {
            "digests": digests,
            "next_free_id": next_free_id,
            "product_version": product_version(),
            "schema_version": SCHEMA_VERSION,
        }
        write_file(staging / META, canonical_json(meta))
        if folder.exists():
            shutil.rmtree(folder)
        staging.rename(folder)
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def mark_committed(folder: Path) -> None:
    """Say that the database of this refresh is in place. Marking twice does no harm.

    The marker holds the digest of ``meta.json``, which holds those of the tables. A process that died
    between the replacement of the database and this call leaves the published refresh unmarked: the next
    one marks it first.

    Raises
    ------
    ConceptError
        When the folder was not written.
    """
    if not (folder / META).is_file():
        raise ConceptError(f"no history in {folder}; it was removed while its refresh ran: refresh again")
    if not (folder / MARKER).exists():
        write_file(folder / MARKER, file_digest(folder / META).encode())


def uncommitted_histories(root: Path) -> list[Path]:
    """Folders that refreshes which never published left behind."""
    return [folder for folder in numbered_histories(root) if not (folder / MARKER).exists()]


def remove_uncommitted(root: Path) -> None:
    """Remove what refreshes that never published left behind."""
    for folder in uncommitted_histories(root):
        shutil.rmtree(folder)


def committed_histories(root: Path) -> tuple[list[Path], list[str]]:
    """Find the folders that count, oldest refresh first.

    Returns
    -------
    folders : list of Path
        Committed, and every file as it was written.
    problems : list of str
        One line for each committed folder that is damaged.
    """
    folders, problems = [], []
    for folder in numbered_histories(root):
        if not (folder / MARKER).is_file():
            continue
        damaged = _damaged_file(folder)
        if damaged is None:
            folders.append(folder)
        else:
            problems.append(f"refresh {folder.name} is left out of the past: {damaged} is damaged or missing")
    return folders, problems


def load_history(folders: Sequence[Path]) -> dict[str, pa.Table]:
    """Past tables of the database, from folders in the order given.

    Returns
    -------
    dict of pyarrow.Table
        ``refreshes``, ``concept_history``, ``concept_events``, ``image_moves`` and ``curation``; empty without folders.

    Examples
    --------
    >>> load_history([])["image_moves"].num_rows
    0
    """
    return {
        name: pa.concat_tables(
            [
                schema.empty_table(),
                *(pq.read_table(file, schema=schema) for file in _files(folders, name)),
            ]
        ).combine_chunks()
        for name, schema in PAST_SCHEMAS.items()
    }


def _files(folders: Sequence[Path], name: str) -> list[Path]:
    """Files that make up a past table; the first releases wrote no ``curation``."""
    files = [folder / f"{name}.parquet" for folder in folders]
    return [file for file in files[-1:] if file.is_file()] if name in _WHOLE else files


def next_free_id(folders: Sequence[Path]) -> int:
    """First concept id that no refresh has used; it never rewinds.

    Examples
    --------
    >>> next_free_id([])
    0
    """
    return max((_read_meta(folder)["next_free_id"] for folder in folders), default=0)


def next_refresh_id(root: Path) -> int:
    """One more than any refresh that was ever begun here.

    Examples
    --------
    >>> next_refresh_id(Path("nowhere"))
    1
    """
    return max((int(folder.name) for folder in numbered_histories(root)), default=0) + 1


def numbered_histories(root: Path) -> list[Path]:
    """Folders of refreshes, published or not, oldest first."""
    numbered = [path for path in root.iterdir() if path.name.isdecimal()] if root.is_dir() else []
    return sorted(numbered, key=lambda path: int(path.name))


def _read_meta(folder: Path) -> dict[str, Any]:
    """Facts of a folder whose digests were verified."""
    meta: dict[str, Any] = json.loads((folder / META).read_bytes())
    return meta


def _damaged_file(folder: Path) -> str | None:
    """Name of the first file of a committed folder that is not as it was written."""
    try:
        meta_digest = hashlib.sha256((folder / META).read_bytes()).hexdigest()
    except OSError:
        return META
    if meta_digest != (folder / MARKER).read_text(errors="replace"):
        return META
    for name, digest in _read_meta(folder)["digests"].items():
        file = folder / name
        if not file.is_file() or file_digest(file) != digest:
            return str(name)
    return None
