"""Build the database aside and put it in place in one step.

DuckDB lets one writer or many readers open a file. A new file for each state, renamed over the old one,
needs no lock: a reader that has the old one open keeps its snapshot, the next reader sees the new state.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import duckdb
import pyarrow as pa

from concept_lib.errors import ConceptError
from concept_lib.storage import sync_folder

SCHEMA_VERSION = 1
_LOG_SUFFIXES = (".wal", ".wal.checkpoint", ".wal.recovery")  # what DuckDB may leave beside a file


def build_database(path: Path, tables: Mapping[str, pa.Table], *, embedding_dim: int) -> None:
    """Write a new database file, whole and synced.

    Parameters
    ----------
    path
        Where to build; beside the published file, so that it can be renamed over it. A file that is
        already there is replaced.
    tables
        Rows by table of ``schema.sql``, matched by column name; a table that is not named stays empty,
        a column that is not named is NULL. Vectors of the present are fixed-size lists of float32.
    embedding_dim
        Length of those vectors.

    Raises
    ------
    ConceptError
        When the file cannot be written.
    ValueError
        For a table that the schema does not have, or a dimension below 1.
    duckdb.Error
        When rows break a constraint of the schema; no file is left.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> words = pa.table({"word": ["cat", "dog"], "word_id": [0, 1], "source": ["nouns", "nouns"]})
    >>> build_database(folder / "new.duckdb", {"vocabulary": words}, embedding_dim=512)
    >>> replace_database(folder / "new.duckdb", folder / "concepts.duckdb")
    >>> with duckdb.connect(str(folder / "concepts.duckdb"), read_only=True) as connection:
    ...     connection.execute("SELECT count(*) FROM vocabulary").fetchone()
    (2,)
    """
    if embedding_dim < 1:
        raise ValueError(f"embedding_dim must be at least 1, not {embedding_dim}")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(path)
    try:
        with closing(duckdb.connect(str(path))) as connection:
            _fill(connection, tables, embedding_dim)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except BaseException as error:
        _remove(path)
        if isinstance(error, duckdb.IOException | OSError):
            raise ConceptError(
                f"cannot write {path}: {first_line(error)}; mend that and try again"
            ) from error
        raise


def replace_database(built: Path, target: Path) -> None:
    """Publish a built file: the one step in which the new state becomes the current one.

    The file becomes read-only first: whoever opened it for writing and crashed would leave a log beside
    it that keeps every reader out of the next state. Such a log is removed.

    Parameters
    ----------
    built
        What `build_database` made, in the folder of `target`.
    target
        The published file; replaced where it exists.
    """
    built.chmod(0o444)
    remove_stale_logs(target)
    built.replace(target)
    remove_stale_logs(target)  # a writer of the old file may have made one meanwhile
    sync_folder(target.parent)


def remove_stale_logs(database: Path) -> list[Path]:
    """Remove the write-ahead logs beside a published file, which never has one of its own.

    Returns
    -------
    list of Path
        What was removed.
    """
    logs = [log for log in map(database.with_name, _log_names(database)) if log.exists()]
    for log in logs:
        log.unlink(missing_ok=True)
    return logs


def product_version() -> str:
    """Version of the installed product; ``"source"`` where the packages run without being installed."""
    try:
        return version("concept-atlas")
    except PackageNotFoundError:
        return "source"


def first_line(error: BaseException) -> str:
    """First line of an error, without a closing full stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].strip().rstrip(".")


def create_tables(connection: duckdb.DuckDBPyConnection, embedding_dim: int) -> None:
    """Make every table, view and macro, empty and with its comments."""
    package = resources.files("concept_lib.database")
    schema = (package / "schema.sql").read_text(encoding="utf-8")
    for written in ("FLOAT[512]", "embedding_dim = 512"):
        schema = schema.replace(written, written.replace("512", str(int(embedding_dim))))
    connection.execute(schema)
    connection.execute((package / "comments.sql").read_text(encoding="utf-8"))


def _fill(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table], embedding_dim: int) -> None:
    """Make the schema and insert every table."""
    connection.execute("BEGIN")  # one transaction: a sync for every statement would take longer than the rows
    create_tables(connection, embedding_dim)
    known = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if unknown := sorted(set(tables) - known):
        raise ValueError(f"not a table of schema.sql: {', '.join(unknown)}")
    for name, table in tables.items():
        connection.register("arrow_rows", table)
        connection.execute(f'INSERT INTO "{name}" BY NAME SELECT * FROM arrow_rows')  # noqa: S608 - name is known
        connection.unregister("arrow_rows")
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.execute("CHECKPOINT")


def _log_names(database: Path) -> list[str]:
    """Names of the logs that DuckDB may keep beside a file."""
    return [database.name + suffix for suffix in _LOG_SUFFIXES]


def _remove(path: Path) -> None:
    """Remove a file that was built, and its logs."""
    path.unlink(missing_ok=True)
    remove_stale_logs(path)
