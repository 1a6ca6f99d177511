"""Any question in SQL to the published database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from concept_lib.database.publish import first_line
from concept_lib.database.queries import open_database
from concept_lib.errors import ConceptError

CONTENTS = """
    SELECT table_name AS name, 'table' AS kind, comment AS "what it is" FROM duckdb_tables()
    UNION ALL SELECT view_name, 'view', comment FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT function_name || '(' || array_to_string(parameters, ', ') || ')', 'macro', comment
    FROM duckdb_functions() WHERE function_type LIKE '%macro' AND NOT internal
    ORDER BY kind = 'macro', kind = 'table', name
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gives: names of its columns, two of which may be equal, and its rows as Python values."""

    names: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


def ask(database: Path, text: str) -> list[Answer]:
    """Run SQL on the state that is published now, read-only.

    Parameters
    ----------
    database
        The published file.
    text
        One statement or several.

    Returns
    -------
    list of Answer
        Of each statement, in their order.

    Raises
    ------
    ConceptError
        When there is no database, or the SQL is wrong; in one line.
    """
    with open_database(database) as connection:
        try:
            statements = connection.extract_statements(text)
            if not statements:
                raise ConceptError(
                    'nothing to ask: give a statement, such as: concept sql "FROM concept_summary"'
                )
            return [_answer(connection.execute(statement)) for statement in statements]
        except duckdb.Error as error:
            raise ConceptError(_explain(connection, error)) from error


def contents(database: Path) -> Answer:
    """What there is to ask: ``name``, ``kind`` and ``what it is`` of each view, table and macro."""
    [answer] = ask(database, CONTENTS)
    return answer


def _answer(connection: duckdb.DuckDBPyConnection) -> Answer:
    return Answer([column[0] for column in connection.description or ()], connection.fetchall())


def _explain(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> str:
    """One line for an error in SQL: what is wrong and what to do."""
    what = first_line(error).partition("Error: ")[2] or first_line(error)
    if missing := re.match(r"Table with name (.+?) does not exist", what):
        relations = connection.execute(f"SELECT name FROM ({CONTENTS}) WHERE kind <> 'macro'").fetchall()  # noqa: S608
        there = ", ".join(sorted(name for (name,) in relations))
        return f"there is no table {missing[1]}; there are {there}"
    if "read-only mode" in what:
        return "only a refresh changes the database; to keep a result: COPY (SELECT ...) TO 'result.parquet'"
    where = re.search(r"LINE (\d+): (.*)", str(error))
    hint = re.search(r"Candidate bindings: (.*)", str(error))
    line = f" in line {where[1]}: {where[2].strip()}" if where else ""
    return what.rstrip("!.") + (f"; there are {hint[1]}" if hint else "") + line
