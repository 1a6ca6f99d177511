"""The one change that the past may suffer: a picture is forgotten, and with it the vectors that it had a part in.

A folder's new files are gathered aside, and one rename decides that they count; then each takes the place of the old
one. Whoever dies in between leaves the rest to `finish_rewrites`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_lib.database.history import MARKER, META, PAST_SCHEMAS, numbered_histories
from concept_lib.storage import TEMPORARY_PREFIX, canonical_json, file_digest, sync_folder, write_file

_NEXT = "next"  # folder in a history folder: files that take the place of those of the same names
_TABLE = "concept_history"


def forget_vectors(folder: Path, concept_ids: Collection[int]) -> bool:
    """Empty the vectors of some concepts in one refresh's history, and take out the paths of their collages.

    Parameters
    ----------
    folder
        ``history/<refresh_id>``, committed and whole.
    concept_ids
        Concepts whose vector and collage are forgotten.

    Returns
    -------
    bool
        Whether there was anything left to forget.
    """
    table = pq.read_table(folder / f"{_TABLE}.parquet", schema=PAST_SCHEMAS[_TABLE])
    rows = table.to_pylist()
    told = [row for row in rows if row["concept_id"] in concept_ids and (row["embedding"] or row["collage"])]
    for row in told:
        row.update(embedding=[], collage=None)
    if told:
        _rewrite(folder, pa.Table.from_pylist(rows, schema=table.schema))
    return bool(told)


def finish_rewrites(root: Path) -> None:
    """Put the new files of rewritten folders in place, where a process died meanwhile.

    The caller holds the lock on the home.
    """
    for folder in numbered_histories(root):
        if (folder / _NEXT).is_dir():
            _put_in_place(folder)


def _rewrite(folder: Path, table: pa.Table) -> None:
    """Replace one table of a folder, with the digests that vouch for it."""
    staging = folder / f"{TEMPORARY_PREFIX}{_NEXT}"
    shutil.rmtree(staging, ignore_errors=True)
    file = staging / f"{_TABLE}.parquet"
    write_file(file, partial(pq.write_table, table))
    meta = json.loads((folder / META).read_bytes())
    meta["digests"][file.name] = file_digest(file)
    told = canonical_json(meta)
    write_file(staging / META, told)
    write_file(staging / MARKER, hashlib.sha256(told).hexdigest().encode())
    staging.rename(folder / _NEXT)
    sync_folder(folder)
    _put_in_place(folder)


def _put_in_place(folder: Path) -> None:
    for file in sorted((folder / _NEXT).iterdir()):
        file.replace(folder / file.name)
    sync_folder(folder)
    (folder / _NEXT).rmdir()
