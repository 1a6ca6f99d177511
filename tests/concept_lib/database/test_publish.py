"""Building aside, constraints, and replacement under the eyes of readers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from concept_lib.database import publish
from concept_lib.database.publish import build_database, remove_stale_logs, replace_database
from concept_lib.database.queries import concept_table, last_refresh, open_database
from concept_lib.errors import ConceptError

READER = """
import sys, time
import duckdb
path, stop = sys.argv[1:]
from pathlib import Path
seen, reads = set(), 0
print("reading", flush=True)
while not Path(stop).exists():
    connection = duckdb.connect(path, read_only=True)
    shown = connection.execute("SELECT refresh_id FROM schema_info").fetchone()[0]
    moved = connection.execute("SELECT DISTINCT fit_refresh_id FROM refreshes").fetchone()[0]
    n = connection.execute("SELECT count(*), count(DISTINCT to_concept_id) FROM image_moves").fetchone()
    connection.close()
    assert shown == moved and n == (2000, 1), (shown, moved, n)
    seen.add(shown)
    reads += 1
print(reads, len(seen))
"""


def test_every_table_holds_what_was_given(state, database):
    with open_database(database) as connection:
        for name, table in state.tables.items():
            stored = connection.sql(f'SELECT * FROM "{name}"').to_arrow_table()
            for column in table.column_names:
                assert stored[column].to_pylist() == table[column].to_pylist(), (name, column)


def test_vectors_are_bit_for_bit_those_given(state, database):
    with open_database(database) as connection:
        rows = connection.execute("SELECT image_id, embedding FROM image_embeddings").fetchall()
    found = {image_id: np.asarray(vector, np.float32) for image_id, vector in rows}
    for image_id, vector in zip(state.image_ids, state.image_vectors, strict=True):
        np.testing.assert_array_equal(found[image_id], vector)


def test_a_built_file_is_alone_and_statistics_are_in_it(database):
    assert [path.name for path in database.parent.iterdir()] == [database.name]


@pytest.mark.parametrize("dim", [1, 128, 512, 5120])
def test_the_dimension_is_that_of_the_model(tmp_path, dim):
    flat = pa.array(np.arange(2 * dim), pa.float32())
    vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
    words = pa.table({"word": ["a", "b"], "embedding": vectors})
    build_database(tmp_path / "d.duckdb", {"word_embeddings": words}, embedding_dim=dim)
    with duckdb.connect(str(tmp_path / "d.duckdb"), read_only=True) as connection:
        types = connection.execute("SELECT typeof(embedding) FROM word_embeddings").fetchall()
        assert types == [(f"FLOAT[{dim}]",)] * 2


@pytest.mark.parametrize("dim", [0, -3])
def test_a_dimension_below_one_is_refused(tmp_path, dim):
    with pytest.raises(ValueError, match="at least 1"):
        build_database(tmp_path / "d.duckdb", {}, embedding_dim=dim)


BROKEN = {
    "image id of another length": ("images", "image_id", "abc"),
    "usable with a reason": ("image_files", "reason", "odd"),
    "usable without a content": ("image_files", "image_id", None),
    "unknown status": ("image_files", "status", "lost"),
    "negative concept id": ("concepts", "concept_id", -1),
    "confidence above one": ("concepts", "label_confidence", 1.5),
    "concept of one image": ("concepts", "n_images", 1),
    "unknown label method": ("concepts", "label_method", "guess"),
    "concept without a vector": ("concepts", "embedding", None),
    "probability above one": ("concept_images", "probability", 1.5),
    "concept id below -1": ("concept_images", "concept_id", -2),
    "unknown placement": ("concept_images", "placed", "thrown"),
    "rank from zero": ("concept_words", "rank", 0),
    "unknown mode": ("refreshes", "mode", "again"),
    "other dimension": ("schema_info", "embedding_dim", 7),
    "move to the same place": ("image_moves", "to_concept_id", None),
}


@pytest.mark.parametrize("case", BROKEN)
def test_constraints_hold_and_leave_no_file(state, tmp_path, case):
    name, column, value = BROKEN[case]
    table = state.tables[name]
    values = table[column].to_pylist()
    values[0] = value
    index = table.column_names.index(column)
    state.tables[name] = table.set_column(index, column, pa.array(values, table.schema.field(column).type))
    with pytest.raises(duckdb.ConstraintException):
        state.write(tmp_path / "broken.duckdb")
    assert list(tmp_path.iterdir()) == []


def test_an_outlier_is_no_exemplar(state, tmp_path):
    table = state.tables["concept_images"]
    ranks = table["exemplar_rank"].to_pylist()
    ranks[state.members.tolist().index(-1)] = 1
    index = table.column_names.index("exemplar_rank")
    state.tables["concept_images"] = table.set_column(index, "exemplar_rank", pa.array(ranks, pa.int32()))
    with pytest.raises(duckdb.ConstraintException):
        state.write(tmp_path / "broken.duckdb")


@pytest.mark.parametrize(
    "name", ["images", "image_files", "vocabulary", "concepts", "refreshes", "image_moves"]
)
def test_keys_are_unique(state, tmp_path, name):
    table = state.tables[name]
    state.tables[name] = pa.concat_tables([table, table.slice(0, 1)])
    with pytest.raises(duckdb.ConstraintException):
        state.write(tmp_path / "broken.duckdb")


def test_a_table_or_column_that_is_not_in_the_schema_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"not a table of schema\.sql: pictures"):
        build_database(tmp_path / "a.duckdb", {"pictures": pa.table({"a": [1]})}, embedding_dim=2)
    with pytest.raises(duckdb.BinderException):
        build_database(tmp_path / "a.duckdb", {"vocabulary": pa.table({"a": [1]})}, embedding_dim=2)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_one_line_error(tmp_path):
    (tmp_path / "new.duckdb").mkdir()
    with pytest.raises((ConceptError, OSError)):
        build_database(tmp_path / "new.duckdb", {}, embedding_dim=2)


def test_a_published_file_is_read_only(database, tmp_path):
    target = tmp_path / "published.duckdb"
    replace_database(database, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o444
    assert not database.exists()
    assert last_refresh(target)["refresh_id"] == 1


def test_a_stale_log_goes_with_the_old_state(state, tmp_path):
    target = state.write(tmp_path / "concepts.duckdb")
    stale = [tmp_path / f"concepts.duckdb{suffix}" for suffix in (".wal", ".wal.checkpoint")]
    for log in stale:
        log.write_bytes(b"left by a program that crashed")
    replace_database(state.write(tmp_path / "new.duckdb"), target)
    assert [path.name for path in tmp_path.iterdir()] == ["concepts.duckdb"]
    assert concept_table(target)
    assert remove_stale_logs(target) == []


def test_an_open_reader_keeps_its_state_and_the_next_sees_the_new_one(make_state, tmp_path):
    target = make_state(n_images=5).write(tmp_path / "concepts.duckdb")
    reader = duckdb.connect(str(target), read_only=True)
    replace_database(make_state(n_images=9).write(tmp_path / "new.duckdb"), target)
    assert reader.execute("SELECT count(*) FROM images").fetchone() == (5,)
    reader.close()
    with open_database(target) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (9,)


@pytest.mark.parametrize("step", ["fill", "sync", "chmod", "replace"])
def test_a_crash_at_any_step_leaves_the_old_state_live(make_state, tmp_path, monkeypatch, step):
    target = tmp_path / "concepts.duckdb"
    replace_database(make_state(n_images=5).write(tmp_path / "new.duckdb"), target)
    newer = make_state(n_images=9)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt(step)

    owner, name = {
        "fill": (publish, "_fill"),
        "sync": (os, "fsync"),
        "chmod": (Path, "chmod"),
        "replace": (Path, "replace"),
    }[step]

    def publish_newer():
        replace_database(newer.write(tmp_path / "new.duckdb"), target)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, die)
        with pytest.raises(KeyboardInterrupt, match=step):
            publish_newer()
    with open_database(target) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (5,)
    publish_newer()
    with open_database(target) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (9,)


def test_readers_never_fail_and_never_see_a_torn_state(make_state, refresh_row, past_table, tmp_path):
    target, stop = tmp_path / "concepts.duckdb", tmp_path / "stop"
    state = make_state(n_images=0, n_concepts=0)

    def publish_state(refresh_id):
        info = state.tables["schema_info"].to_pylist()[0]
        moves = [{"refresh_id": 1, "image_id": f"{i}", "to_concept_id": refresh_id} for i in range(2000)]
        state.tables.update(
            schema_info=pa.Table.from_pylist([{**info, "refresh_id": refresh_id}]),
            refreshes=refresh_row(refresh_id),
            image_moves=past_table("image_moves", moves),
        )
        replace_database(state.write(tmp_path / "new.duckdb"), target)

    publish_state(1)
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(target), str(stop)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline() == "reading\n"
        for refresh_id in range(2, 22):
            publish_state(refresh_id)
    finally:
        stop.touch()
        outcomes = [reader.communicate(timeout=60) for reader in readers]
    for reader, (out, err) in zip(readers, outcomes, strict=True):
        assert reader.returncode == 0, err
        reads, states = map(int, out.split())
        assert reads >= 5
        assert states >= 2
