"""SQL answers of the schema's views and macros, against NumPy and Python."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from concept_lib.database.history import PAST_SCHEMAS
from concept_lib.database.queries import open_database
from concept_lib.errors import ConceptError


def rows_of(database, query, *parameters):
    with open_database(database) as connection:
        return connection.execute(query, list(parameters)).fetchall()


def nearest(vectors, query, ids):
    """Indices and cosines, best first, ties by id."""
    cosines = vectors.astype(np.float64) @ np.asarray(query, np.float64)
    order = sorted(range(len(ids)), key=lambda i: (-np.float32(cosines[i]), ids[i]))
    return order, cosines


def test_every_table_view_macro_and_column_says_what_it_is(database):
    tables = rows_of(database, "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL")
    columns = rows_of(
        database,
        "SELECT c.table_name, c.column_name FROM duckdb_columns() c JOIN duckdb_tables() USING (table_name) "
        "WHERE c.comment IS NULL",
    )
    views = rows_of(database, "SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL")
    macros = rows_of(
        database, "SELECT function_name FROM duckdb_functions() WHERE NOT internal AND comment IS NULL"
    )
    assert tables == columns == views == macros == []


def test_schema_has_the_promised_number_of_objects(database):
    counts = rows_of(
        database,
        "SELECT (SELECT count(*) FROM duckdb_tables()), (SELECT count(*) FROM duckdb_views() WHERE NOT internal), "
        "(SELECT count(DISTINCT function_name) FROM duckdb_functions() WHERE NOT internal)",
    )
    assert counts == [(14, 4, 7)]


def test_past_schemas_have_the_columns_of_the_tables_in_order(database):
    for name, schema in PAST_SCHEMAS.items():
        found = rows_of(
            database,
            "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
            name,
        )
        assert [column for (column,) in found] == schema.names


@pytest.mark.parametrize(("term", "word"), [("cat", "cat"), ("Cat", "Cat"), ("CAT", "Cat"), ("sun", "SUN")])
def test_find_concepts_matches_numpy(state, database, term, word):
    query = state.word_vectors[state.words.index(word)]
    order, cosines = nearest(state.concept_vectors, query, state.concept_ids)
    found = rows_of(database, "SELECT * FROM find_concepts(?)", term)
    assert [row[0] for row in found] == [state.concept_ids[i] for i in order]
    np.testing.assert_allclose([row[3] for row in found], cosines[order], atol=1e-6)


def test_find_images_matches_numpy(state, database):
    query = state.word_vectors[state.words.index("café")]
    order, cosines = nearest(state.image_vectors, query, state.image_ids)
    found = rows_of(
        database, "SELECT image_id, path, concept_id, similarity FROM find_images('CAFÉ', top := 7)"
    )
    expected = [(state.image_ids[i], state.paths[i], state.members[i]) for i in order[:7]]
    assert [row[:3] for row in found] == expected
    np.testing.assert_allclose([row[3] for row in found], cosines[order[:7]], atol=1e-6)


@pytest.mark.parametrize("by", ["id", "path", "copy"])
def test_similar_images_matches_numpy_and_leaves_the_image_out(state, database, by):
    name = {"id": state.image_ids[0], "path": state.paths[0], "copy": "zz/copy.jpg"}[by]
    order, _ = nearest(state.image_vectors, state.image_vectors[0], state.image_ids)
    found = rows_of(database, "SELECT image_id FROM similar_images(?, top := 5)", name)
    expected = [state.image_ids[i] for i in order if i != 0][:5]
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize("name", ["no such picture", r"broken\xFF.jpg", None])
def test_similar_images_refuses_what_is_not_a_usable_image(database, name):
    with pytest.raises(ConceptError, match="no usable image has this id or path"):
        rows_of(database, "SELECT * FROM similar_images(?)", name)


@pytest.mark.parametrize("term", ["unheard of", None, "'; DROP TABLE images; --"])
def test_a_word_that_is_not_stored_raises_a_line_with_the_remedy(database, term):
    with pytest.raises(ConceptError, match="not in the vocabulary table; for any text use: concept find"):
        rows_of(database, "SELECT * FROM find_concepts(?)", term)


def test_images_of_lists_exemplars_first_then_the_surest(state, database):
    for concept_id in (*state.concept_ids, -1, 999):
        rows = [i for i, member in enumerate(state.members) if member == concept_id]
        rows.sort(key=lambda i: (state.exemplar_rank[i] or 10**9, -state.probability[i], state.image_ids[i]))
        found = rows_of(database, "SELECT image_id, exemplar_rank FROM images_of(?)", concept_id)
        assert found == [(state.image_ids[i], state.exemplar_rank[i]) for i in rows]


def test_problem_and_duplicate_files(state, database):
    problems = rows_of(database, "SELECT path, status, reason FROM problem_files")
    assert problems == [
        ("a_link.jpg", "skipped", "a link out of the folder"),
        (r"broken\xFF.jpg", "failed", "truncated data"),
    ]
    duplicates = rows_of(database, "SELECT * FROM duplicate_files")
    assert duplicates == [(state.image_ids[0], ["aa/copy.jpg", state.paths[0], "zz/copy.jpg"])]


class TestMovesReplay:
    """membership_at and compare_refreshes over random histories."""

    concept = st.none() | st.integers(-1, 3)
    history = st.lists(st.dictionaries(st.integers(0, 7), concept, max_size=8), min_size=1, max_size=6)

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(changes=history, data=st.data())
    def test_replay(self, tmp_path_factory, make_state, past_table, refresh_row, changes, data):
        held, moves, states = {}, [], []
        for refresh_id, change in enumerate(changes, start=1):
            for image, concept in change.items():
                if held.get(image) != concept:
                    moves.append(
                        {
                            "refresh_id": refresh_id,
                            "image_id": f"image{image}",
                            "from_concept_id": held.get(image),
                            "to_concept_id": concept,
                        }
                    )
                held[image] = concept
            states.append({image: concept for image, concept in held.items() if concept is not None})
        state = make_state(n_images=0, n_concepts=0)
        state.tables["image_moves"] = past_table("image_moves", data.draw(st.permutations(moves)))
        state.tables["refreshes"] = pa.concat_tables([refresh_row(i + 1) for i in range(len(states))])
        database = state.write(tmp_path_factory.mktemp("moves") / "concepts.duckdb")
        for refresh_id, truth in enumerate(states, start=1):
            found = rows_of(database, "SELECT image_id, concept_id FROM membership_at(?)", refresh_id)
            assert dict(found) == {f"image{image}": concept for image, concept in truth.items()}
        a, b = data.draw(st.tuples(*[st.integers(1, len(states))] * 2))
        found = rows_of(
            database,
            "SELECT concept_id, n_a, n_b, kept, new_images, removed_images, moved_in, moved_out, jaccard, change "
            "FROM compare_refreshes(?, ?)",
            a,
            b,
        )
        assert found == compare(states[a - 1], states[b - 1])


def compare(before, after):
    """Truth of compare_refreshes, image by image."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for image in before.keys() | after.keys():
        old, new = before.get(image), after.get(image)
        if old is not None:
            counts[old].update(a=1, kept=old == new, removed=new is None, out=new is not None and old != new)
        if new is not None:
            counts[new].update(b=1, new=old is None, into=old is not None and old != new)
    rows = []
    for concept, n in sorted(counts.items()):
        change = "same" if n["a"] == n["b"] == n["kept"] else "changed"
        change = "born" if n["a"] == 0 else "died" if n["b"] == 0 else change
        change = "outliers" if concept == -1 else change
        jaccard = n["kept"] / (n["a"] + n["b"] - n["kept"])
        numbers = (n["a"], n["b"], n["kept"], n["new"], n["removed"], n["into"], n["out"])
        rows.append((concept, *numbers, jaccard, change))
    return rows


def test_compare_refreshes_gives_both_labels(state, database):
    found = rows_of(database, "SELECT concept_id, label_a, label_b FROM compare_refreshes(1, 1)")
    labels = dict(zip(state.concept_ids, state.labels, strict=True))
    assert found == [(c, labels.get(c), labels.get(c)) for c in sorted(set(state.members.tolist()))]


@pytest.mark.parametrize("pair", [(1, 2), (5, 5), (0, 1)])
def test_compare_refreshes_refuses_a_refresh_that_never_was(database, pair):
    with pytest.raises(ConceptError, match="unknown refresh"):
        rows_of(database, "SELECT * FROM compare_refreshes(?, ?)", *pair)


def test_latest_changes_are_those_of_the_state_shown(state, past_table, tmp_path):
    event = {"event_no": 1, "kind": "born", "concept_id": 10, "n_after": 4, "label_after": "cat"}
    events = [{**event, "refresh_id": 0}, {**event, "refresh_id": 1, "concept_id": 15}]
    state.tables["concept_events"] = past_table("concept_events", events)
    database = state.write(tmp_path / "events.duckdb")
    assert rows_of(database, "SELECT refresh_id, kind, concept_id FROM latest_changes") == [(1, "born", 15)]
