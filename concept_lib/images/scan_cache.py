"""What the last scan saw, so that an unchanged file is not read again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from concept_lib.images.catalog import Catalog, FileRecord
from concept_lib.images.contents import FILES
from concept_lib.storage import write_file

_COLUMNS = pa.schema([*FILES, ("mtime_ns", pa.int64()), ("inode", pa.int64())])


def write_scan(file: Path, folder: Path, catalog: Catalog) -> None:
    """Keep the records of one scan of a folder.

    Parameters
    ----------
    file
        Parquet file to write.
    folder
        The folder that was scanned; a scan of another folder never reads these records.
    catalog
        What was found.
    """
    rows = [{name: getattr(record, name) for name in _COLUMNS.names} for record in catalog.files]
    table = pa.Table.from_pylist(rows, schema=_COLUMNS)
    table = table.replace_schema_metadata({"folder": json.dumps(os.fspath(folder))})
    write_file(file, lambda target: pq.write_table(table, target), durable=False)


def read_scan(file: Path, folder: Path) -> dict[bytes, FileRecord]:
    """Records of the last scan of this folder by path; empty when there is none or it is damaged."""
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowException):
        return {}
    if table.schema.names != _COLUMNS.names or (table.schema.metadata or {}).get(b"folder") is None:
        return {}
    if json.loads(table.schema.metadata[b"folder"]) != os.fspath(folder):
        return {}
    return {row["path_bytes"]: FileRecord(**row) for row in table.to_pylist()}
