"""Read-side helpers against the arrays that the database was made of."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from concept_lib.database.queries import (
    concept_table,
    find_concepts,
    find_images,
    last_refresh,
    open_database,
    stored_word_vector,
)
from concept_lib.errors import ConceptError


def test_concept_table_is_the_summary_in_order_of_size(state, database):
    found = concept_table(database)
    sizes = {c: max(int((state.members == c).sum()), 2) for c in state.concept_ids}
    assert [row["concept_id"] for row in found] == sorted(sizes, key=lambda c: (-sizes[c], c))
    words = state.tables["concept_words"].to_pylist()
    for row in found:
        concept_id = row["concept_id"]
        assert row["n_images"] == sizes[concept_id]
        assert row["share"] == pytest.approx(sizes[concept_id] / len(state.image_ids))
        assert row["drift"] == 0.125
        assert row["label"] == state.labels[state.concept_ids.index(concept_id)]
        assert row["words"] == [
            w["word"]
            for w in words
            if w["concept_id"] == concept_id and w["method"] == "cosine" and w["rank"] <= 5
        ]
        ranked = {
            rank: path
            for rank, path, member in zip(state.exemplar_rank, state.paths, state.members, strict=True)
            if rank and member == concept_id
        }
        assert row["exemplars"] == [ranked[rank] for rank in sorted(ranked)]


def test_last_refresh_parses_json_map_and_times(database):
    refresh = last_refresh(database)
    assert refresh["refresh_id"] == 1
    assert refresh["metrics"] == {"outlier_share": 0.25, "seconds_fit": 2.0}
    assert refresh["settings"] == {"labels": {"n_shown": 3}}
    assert refresh["data_versions"]["images"] == {"fingerprint": "f", "data_version": "v"}
    assert refresh["published_at"] == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert refresh["mlflow_run_id"] is None


def test_find_concepts_and_images_match_numpy(state, database):
    vector = np.random.default_rng(3).normal(size=6)  # float64, not of unit length
    unit = vector / np.linalg.norm(vector)
    concepts = find_concepts(database, vector, 2)
    order = np.argsort(-(state.concept_vectors @ unit))[:2]
    assert [row["concept_id"] for row in concepts] == [state.concept_ids[i] for i in order]
    assert [row["label"] for row in concepts] == [state.labels[i] for i in order]
    images = find_images(database, vector, 9)
    cosines = state.image_vectors @ unit
    order = np.argsort(-cosines)[:9]
    assert [row["image_id"] for row in images] == [state.image_ids[i] for i in order]
    assert [row["concept_id"] for row in images] == state.members[order].tolist()
    np.testing.assert_allclose([row["similarity"] for row in images], cosines[order], atol=1e-6)


def test_helpers_and_macros_give_the_same_rows(database):
    vector = stored_word_vector(database, "sun")
    with duckdb.connect(str(database), read_only=True) as connection:
        concepts = connection.sql("SELECT * FROM find_concepts('sun')").to_arrow_table().to_pylist()
        images = connection.sql("SELECT * FROM find_images('sun')").to_arrow_table().to_pylist()
    assert find_concepts(database, vector) == concepts
    assert find_images(database, vector) == images


def test_equal_similarities_are_ordered_by_id(make_state, tmp_path):
    state = make_state(n_images=6)
    same = pa.FixedSizeListArray.from_arrays(pa.array([1, 0, 0, 0, 0, 0] * 6, pa.float32()), 6)
    state.tables["image_embeddings"] = pa.table({"image_id": state.image_ids, "embedding": same})
    database = state.write(tmp_path / "ties.duckdb")
    assert [row["image_id"] for row in find_images(database, np.eye(6)[0])] == sorted(state.image_ids)


@pytest.mark.parametrize(("term", "word"), [("cat", "cat"), ("Cat", "Cat"), ("CAT", "Cat"), ("sun", "SUN")])
def test_stored_word_vector_prefers_the_word_as_written(state, database, term, word):
    found = stored_word_vector(database, term)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, state.word_vectors[state.words.index(word)])


@pytest.mark.parametrize("term", ["unheard of", "", "%", "' OR 1=1 --"])
def test_stored_word_vector_of_another_term_is_none(database, term):
    assert stored_word_vector(database, term) is None


def membership(database):
    """Concept of each image, read by a plain query."""
    with open_database(database) as connection:
        return dict(connection.execute("SELECT image_id, concept_id FROM concept_images").fetchall())


def test_a_query_of_another_dimension_says_so(database):
    with pytest.raises(ConceptError, match=r"has 4 dimensions and .* has 6"):
        find_concepts(database, np.ones(4))


def test_without_a_database(tmp_path):
    missing = tmp_path / "concepts.duckdb"
    assert last_refresh(missing) is None
    with pytest.raises(ConceptError, match=r"no database at .*concepts.duckdb; run: concept refresh"):
        concept_table(missing)


@pytest.mark.parametrize("content", [b"", b"not a database " * 999])
def test_a_broken_file_is_a_one_line_error(tmp_path, content):
    broken = tmp_path / "concepts.duckdb"
    broken.write_bytes(content)
    with pytest.raises(ConceptError, match=r"cannot be read .* run: concept rebuild") as raised:
        last_refresh(broken)
    assert "\n" not in str(raised.value)


def test_another_database_is_refused(tmp_path):
    foreign = tmp_path / "foreign.duckdb"
    duckdb.connect(str(foreign)).close()
    with pytest.raises(ConceptError, match="not a Concept Atlas database"):
        concept_table(foreign)


def test_another_schema_version_is_refused(state, tmp_path):
    info = state.tables["schema_info"].to_pylist()[0]
    state.tables["schema_info"] = pa.Table.from_pylist([{**info, "schema_version": 99}])
    with pytest.raises(ConceptError, match="schema version 99 and this release reads 1"):
        concept_table(state.write(tmp_path / "later.duckdb"))


def test_a_flipped_bit_is_an_error_or_harmless_but_never_a_wrong_row(state, database):
    truth = membership(database)
    whole = database.read_bytes()
    for offset in np.random.default_rng(0).integers(0, len(whole), 25):
        damaged = bytearray(whole)
        damaged[offset] ^= 0x10
        database.write_bytes(damaged)
        try:
            found = membership(database)
        except ConceptError:
            continue
        assert found == truth


def test_a_stale_log_is_named_in_the_error(state, tmp_path):
    database = state.write(tmp_path / "concepts.duckdb")
    other = state.write(tmp_path / "other.duckdb")
    crash = (
        "import duckdb, os, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('CREATE TABLE mine (i INTEGER)')\n"
        "os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", crash, str(other)], check=False)
    other.with_name("other.duckdb.wal").rename(tmp_path / "concepts.duckdb.wal")
    with pytest.raises(ConceptError, match=r"concepts.duckdb.wal does not belong .* remove that file"):
        concept_table(database)


def test_a_writer_in_another_program_is_named(database):
    hold = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "open\n"
        with pytest.raises(ConceptError, match="open for writing in another program"):
            concept_table(database)
        writer.stdin.close()
    assert concept_table(database)


class TestEmptyStates:
    """No images, no concepts, no vocabulary."""

    def test_no_images(self, make_state, tmp_path):
        database = make_state(n_images=0, n_concepts=0).write(tmp_path / "empty.duckdb")
        assert concept_table(database) == []
        assert find_images(database, np.ones(6)) == find_concepts(database, np.ones(6)) == []
        assert membership(database) == {}
        assert last_refresh(database)["n_images"] == 0

    def test_no_concepts(self, make_state, tmp_path):
        state = make_state(n_concepts=0)
        database = state.write(tmp_path / "noise.duckdb")
        assert concept_table(database) == []
        assert set(membership(database).values()) == {-1}
        assert len(find_images(database, np.ones(6), 100)) == len(state.image_ids)

    def test_no_vocabulary(self, make_state, tmp_path):
        database = make_state(n_words=0).write(tmp_path / "unnamed.duckdb")
        found = concept_table(database)
        assert {row["label"] for row in found} == {"unnamed"}
        assert {(row["label_confidence"], row["words"]) for row in found} == {(None, None)}
        assert stored_word_vector(database, "cat") is None

    def test_nothing_at_all_is_not_taken_for_a_state(self, make_state, tmp_path):
        state = make_state()
        state.tables = {}
        with pytest.raises(ConceptError, match="not a Concept Atlas database"):
            last_refresh(state.write(tmp_path / "bare.duckdb"))
