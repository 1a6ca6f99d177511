"""Columns of the published tables, read from the schema and its comments: no list of them is kept elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from concept_lib.database.publish import create_tables
from concept_lib.database.queries import open_database

_COLUMNS = """
    SELECT table_name, column_name, data_type, coalesce(comment, ''), is_nullable
    FROM duckdb_columns() WHERE table_name IN (SELECT table_name FROM duckdb_tables())
    ORDER BY table_oid, column_index
"""
_TABLES = "SELECT table_name, coalesce(comment, '') FROM duckdb_tables() ORDER BY table_oid"


class Column(NamedTuple):
    """A column of a published table: its DuckDB type, and what it holds."""

    name: str
    type: str
    comment: str
    nullable: bool


class TableFacts(NamedTuple):
    """A published table: its rows, and what they are."""

    name: str
    rows: int
    comment: str


@cache
def published_columns(embedding_dim: int = 512) -> Mapping[str, tuple[Column, ...]]:
    """Columns of every table, by table, in the order of the schema.

    Parameters
    ----------
    embedding_dim
        Length of the vectors of the present.

    Examples
    --------
    >>> [column.name for column in published_columns()["vocabulary"]]
    ['word', 'word_id', 'source']
    >>> published_columns(128)["word_embeddings"][1].type
    'FLOAT[128]'
    """
    with closing(duckdb.connect()) as connection:
        create_tables(connection, embedding_dim)
        rows = connection.execute(_COLUMNS).fetchall()
    found: dict[str, list[Column]] = {}
    for table, *column in rows:
        found.setdefault(table, []).append(Column(*column))
    return {table: tuple(columns) for table, columns in found.items()}


def published_tables(database: Path) -> list[TableFacts]:
    """Every table of the published file, with its rows counted."""
    with open_database(database) as connection:
        tables = connection.execute(_TABLES).fetchall()
        counts = [
            connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]  # noqa: S608 - name is known
            for name, _ in tables
        ]
    return [TableFacts(name, count, comment) for (name, comment), count in zip(tables, counts, strict=True)]
