"""Questions to the published database: each opens the file anew, read-only, and closes it.

One process keeps serving an old file while any connection to its path is open; so none stays open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from concept_lib.database.publish import SCHEMA_VERSION, first_line
from concept_lib.errors import ConceptError

Row = dict[str, Any]


@contextmanager
def open_database(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read-only connection to the state that is published now.

    Times are in UTC. Close it soon: the next state is seen by the next connection alone.

    Raises
    ------
    ConceptError
        When there is no database, when it cannot be read, or when a query fails.
    """
    if not path.is_file():
        raise ConceptError(f"no database at {path}; run: concept refresh --images DIR")
    try:
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            _check_version(connection, path)
            yield connection
    except duckdb.Error as error:
        raise ConceptError(_explain(path, error)) from error


def concept_table(database: Path) -> list[Row]:
    """Rows of the view ``concept_summary``, largest concept first.

    ``words`` is None without a vocabulary.
    """
    with open_database(database) as connection:
        return _rows(connection, "SELECT * FROM concept_summary ORDER BY n_images DESC, concept_id")


def curation_table(database: Path) -> list[Row]:
    """Rows of the table ``curation``, oldest action first."""
    with open_database(database) as connection:
        return _rows(connection, "SELECT * FROM curation ORDER BY action_no")


def refresh_table(database: Path) -> list[Row]:
    """Rows of ``refreshes``, newest first; ``settings`` and ``data_versions`` are JSON."""
    with open_database(database) as connection:
        return _rows(connection, "SELECT * FROM refreshes ORDER BY refresh_id DESC")


def changes_between(database: Path, a: int, b: int) -> list[Row]:
    """Rows of the macro ``compare_refreshes``: what happened to each concept between two refreshes."""
    with open_database(database) as connection:
        return _rows(connection, "SELECT * FROM compare_refreshes($a, $b)", {"a": a, "b": b})


def concept_past(database: Path, concept_id: int) -> list[Row]:
    """One concept at each refresh, oldest first: when, label, images, drift, and the events that it had a part in."""
    query = """
        WITH life AS (
            SELECT refresh_id, label, n_images, drift FROM concept_history WHERE concept_id = $concept_id
            UNION ALL SELECT refresh_id, label_before, 0, NULL FROM concept_events
            WHERE concept_id = $concept_id AND kind = 'died')
        SELECT l.refresh_id, r.published_at, l.label, l.n_images, l.drift,
               coalesce((SELECT list(DISTINCT e.kind ORDER BY e.kind) FROM concept_events e
                         WHERE e.refresh_id = l.refresh_id AND $concept_id IN (e.concept_id, e.other_concept_id)),
                        []) AS events
        FROM life l JOIN refreshes r USING (refresh_id) ORDER BY l.refresh_id
    """
    with open_database(database) as connection:
        return _rows(connection, query, {"concept_id": concept_id})


def last_refresh(database: Path) -> Row | None:
    """Refresh that the database shows; None where there is no database.

    ``metrics``, ``settings`` and ``data_versions`` are dictionaries, times are aware and in UTC.

    Raises
    ------
    ConceptError
        When there is a database that cannot be read.
    """
    if not database.exists():
        return None
    with open_database(database) as connection:
        query = "SELECT r.* FROM refreshes r JOIN schema_info USING (refresh_id)"
        rows = _rows(connection, query)
    if not rows:
        raise ConceptError(f"{database} does not list its own refresh; move it away and run: concept refresh")
    row = rows[0]
    parsed = {name: json.loads(row[name]) for name in ("settings", "data_versions")}
    return {**row, "metrics": dict(row["metrics"]), **parsed}


def find_concepts(database: Path, vector: np.ndarray, top: int = 10) -> list[Row]:
    """Concepts nearest to a vector, best first.

    Parameters
    ----------
    database
        The published file.
    vector
        Shape (d,), of the space of the database's images and words.
    top
        How many.

    Returns
    -------
    list of dict
        ``concept_id``, ``label``, ``n_images`` and ``similarity`` (cosine), as the macro of the same name.
    """
    query = """
        SELECT concept_id, label, n_images, array_cosine_similarity(embedding, $vector::FLOAT[512]) AS similarity
        FROM concepts ORDER BY similarity DESC, concept_id LIMIT $top
    """
    return _nearest(database, query, vector, top)


def find_images(database: Path, vector: np.ndarray, top: int = 20) -> list[Row]:
    """Images nearest to a vector, best first.

    Parameters
    ----------
    database
        The published file.
    vector
        Shape (d,), of the space of the database's images and words.
    top
        How many.

    Returns
    -------
    list of dict
        ``image_id``, ``path``, ``concept_id`` and ``similarity`` (cosine), as the macro of the same name.
    """
    query = """
        SELECT e.image_id, i.path, m.concept_id,
               array_cosine_similarity(e.embedding, $vector::FLOAT[512]) AS similarity
        FROM image_embeddings e JOIN images i USING (image_id) JOIN concept_images m USING (image_id)
        ORDER BY similarity DESC, e.image_id LIMIT $top
    """
    return _nearest(database, query, vector, top)


def stored_word_vector(database: Path, term: str) -> np.ndarray | None:
    """Vector of a word of the vocabulary, by the rule of the macro ``word_vector``.

    Capitals do not count, but a word written just so comes first.

    Returns
    -------
    ndarray or None
        float32 (d,); None when the term is not a stored word.
    """
    query = """
        SELECT embedding FROM word_embeddings WHERE lower(word) = lower($term)
        ORDER BY word = $term DESC, word LIMIT 1
    """
    with open_database(database) as connection:
        row = connection.execute(query, {"term": term}).fetchone()
    return None if row is None else np.asarray(row[0], dtype=np.float32)


def _nearest(database: Path, query: str, vector: np.ndarray, top: int) -> list[Row]:
    """Run a query written for 512 dimensions in those of the database."""
    values = np.asarray(vector, dtype=np.float32).ravel()
    with open_database(database) as connection:
        (dim,) = _first(connection, "SELECT embedding_dim FROM schema_info")
        if values.size != dim:
            raise ConceptError(
                f"the query has {values.size} dimensions and {database} has {dim}: embed it with the same model"
            )
        sized = query.replace("FLOAT[512]", f"FLOAT[{int(dim)}]")
        return _rows(connection, sized, {"vector": values.tolist(), "top": int(top)})


def _check_version(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Refuse a file that another release, or another program, has written."""
    present = _first(connection, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_info'")
    found = _first(connection, "SELECT max(schema_version) FROM schema_info") if present[0] else (None,)
    if found[0] is None:
        raise ConceptError(f"{path} is not a Concept Atlas database; move it away and run: concept refresh")
    if found[0] != SCHEMA_VERSION:
        raise ConceptError(
            f"{path} has schema version {found[0]} and this release reads {SCHEMA_VERSION}; "
            "use the release that wrote it, or move it away and run: concept refresh"
        )


def _explain(path: Path, error: duckdb.Error) -> str:
    """One line for an error of DuckDB: what is wrong and what to do."""
    what = first_line(error)
    if "replaying WAL" in what:
        return f"{path}.wal does not belong to this state and keeps every reader out; remove that file"
    if "Conflicting lock" in what:
        return f"{path} is open for writing in another program; close it there, or open it read-only"
    if isinstance(error, duckdb.ConnectionException):
        return f"{path} is open in this process with other settings; close that connection first"
    if isinstance(error, duckdb.IOException):
        return f"{path} cannot be read ({what}); run: concept rebuild"
    return f"{path}: {what}"


def _rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: Row | None = None) -> list[Row]:
    """All rows as dictionaries of plain Python values."""
    table: pa.Table = connection.sql(query, params=parameters).to_arrow_table()
    rows: list[Row] = table.to_pylist()
    return rows


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> Sequence[Any]:
    """First row of a query that always has one; read to its end, for DuckDB takes no query before."""
    row: Sequence[Any] = connection.execute(query).fetchall()[0]
    return row
