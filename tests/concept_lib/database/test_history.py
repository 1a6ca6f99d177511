"""History folders: whole or absent, committed or not counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from concept_lib.database import history
from concept_lib.database.history import (
    PAST_SCHEMAS,
    committed_histories,
    load_history,
    mark_committed,
    next_free_id,
    write_history,
)
from concept_lib.database.publish import build_database
from concept_lib.errors import ConceptError


@pytest.fixture
def write(tmp_path, past_table, refresh_row):
    """Write the folder of a refresh and return it."""

    def write_one(refresh_id: int, *, dim: int = 4, free: int = 7, commit: bool = True) -> Path:
        folder = tmp_path / "history" / str(refresh_id)
        concept = {
            "refresh_id": refresh_id,
            "concept_id": refresh_id,
            "n_images": 3,
            "label": "cat",
            "named": True,
            "embedding": np.full(dim, 0.5, np.float32),
        }
        event = {"refresh_id": refresh_id, "event_no": 1, "kind": "born", "concept_id": refresh_id}
        move = {"refresh_id": refresh_id, "image_id": f"image{refresh_id}", "to_concept_id": refresh_id}
        action = {"refresh_id": refresh_id, "action_no": 1, "action": "pin", "concept_id": refresh_id}
        write_history(
            folder,
            refresh=refresh_row(refresh_id),
            concepts=past_table("concept_history", [concept]),
            events=past_table("concept_events", [event]),
            moves=past_table("image_moves", [move]),
            curation=past_table("curation", [action]),
            next_free_id=free,
        )
        if commit:
            mark_committed(folder)
        return folder

    return write_one


def test_what_is_written_is_read_back(write, refresh_row):
    write(1)
    folder = write(2)
    tables = load_history([folder])
    assert tables["refreshes"].equals(refresh_row(2))
    assert tables["image_moves"].to_pylist() == [
        {"refresh_id": 2, "image_id": "image2", "from_concept_id": None, "to_concept_id": 2}
    ]
    assert {name: table.schema for name, table in tables.items()} == PAST_SCHEMAS
    meta = json.loads((folder / "meta.json").read_bytes())
    assert meta["next_free_id"] == 7
    assert meta["schema_version"] == 1
    assert meta["product_version"]


def test_folders_come_in_the_order_of_their_numbers(write, tmp_path):
    written = [write(refresh_id) for refresh_id in (2, 10, 1, 9, 100)]
    (tmp_path / "history" / "notes").mkdir()
    folders, problems = committed_histories(tmp_path / "history")
    assert folders == sorted(written, key=lambda folder: int(folder.name))
    assert problems == []
    assert load_history(folders)["refreshes"]["refresh_id"].to_pylist() == [1, 2, 9, 10, 100]


def test_models_of_different_dimensions_stand_side_by_side(write, tmp_path):
    folders = [write(1, dim=3), write(2, dim=8)]
    build_database(tmp_path / "a.duckdb", load_history(folders), embedding_dim=8)
    vectors = load_history(folders)["concept_history"]["embedding"].to_pylist()
    assert [len(vector) for vector in vectors] == [3, 8]


def test_of_the_users_actions_the_last_folder_lists_all(write):
    folders = [write(1), write(2)]
    assert load_history(folders)["curation"].to_pylist() == [
        {
            "refresh_id": 2,
            "action_no": 1,
            "action": "pin",
            "concept_id": 2,
            "other_concept_id": None,
            "name": None,
            "undone_refresh_id": None,
        }
    ]
    assert load_history(folders[:1])["curation"]["refresh_id"].to_pylist() == [1]


def test_a_folder_of_a_release_that_knew_no_curation_is_whole(write, tmp_path):
    folder = write(1, commit=False)
    (folder / "curation.parquet").unlink()
    meta = json.loads((folder / "meta.json").read_bytes())
    del meta["digests"]["curation.parquet"]
    (folder / "meta.json").write_text(json.dumps(meta))
    mark_committed(folder)
    folders, problems = committed_histories(tmp_path / "history")
    assert (folders, problems) == ([folder], [])
    assert load_history(folders)["curation"].equals(PAST_SCHEMAS["curation"].empty_table())


def test_an_uncommitted_refresh_does_not_count_until_it_is_marked(write, tmp_path):
    first, second = write(1), write(2, commit=False)
    assert committed_histories(tmp_path / "history") == ([first], [])
    mark_committed(second)
    mark_committed(second)
    assert committed_histories(tmp_path / "history") == ([first, second], [])


def test_an_uncommitted_folder_is_written_anew_and_a_committed_one_is_not(write):
    write(1, free=3, commit=False)
    folder = write(1, free=5)
    assert next_free_id([folder]) == 5
    with pytest.raises(ConceptError, match="belongs to a published refresh"):
        write(1)


def test_marking_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ConceptError, match="no history in"):
        mark_committed(tmp_path / "3")


@pytest.mark.parametrize("name", ["meta.json", *(f"{table}.parquet" for table in PAST_SCHEMAS)])
@pytest.mark.parametrize("how", ["flip", "cut", "remove"])
def test_a_damaged_folder_is_left_out_and_named(write, tmp_path, name, how):
    whole, damaged = write(1), write(2)
    file = damaged / name
    content = bytearray(file.read_bytes())
    if how == "remove":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[:-1])
    else:
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    folders, problems = committed_histories(tmp_path / "history")
    assert folders == [whole]
    assert problems == [f"refresh 2 is left out of the past: {name} is damaged or missing"]


def test_a_damaged_marker_is_not_trusted(write, tmp_path):
    folder = write(1)
    (folder / "committed").write_bytes(b"\xff")
    assert committed_histories(tmp_path / "history")[0] == []


def test_the_next_free_id_never_rewinds(write):
    folders = [write(1, free=4), write(2, free=12), write(3, free=12)]
    assert next_free_id(folders) == 12
    assert next_free_id(folders[:1]) == 4


def test_a_killed_write_leaves_no_folder_and_its_leftovers_go(write, tmp_path, monkeypatch):
    root = tmp_path / "history"
    (root / ".tmp-killed").mkdir(parents=True)

    def die(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(history, "canonical_json", die)
        with pytest.raises(KeyboardInterrupt):
            write(1)
    assert list(root.iterdir()) == []
    assert committed_histories(root) == ([], [])
    write(1)
    assert [path.name for path in root.iterdir()] == ["1"]


def test_no_history_at_all(tmp_path):
    assert committed_histories(tmp_path / "history") == ([], [])
    empty = load_history([])
    assert {name: table.schema for name, table in empty.items()} == PAST_SCHEMAS
    build_database(tmp_path / "a.duckdb", empty, embedding_dim=4)


def test_types_that_cast_are_cast(tmp_path, refresh_row, past_table):
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([1.0, 0.0], pa.float32()), 2)
    concepts = pa.table(
        {
            "embedding": vectors,
            "refresh_id": [1],
            "concept_id": [0],
            "n_images": [2],
            "label": ["cat"],
            "named": [True],
            "label_confidence": pa.nulls(1),
            "drift": pa.nulls(1),
            "collage": pa.array(["c.jpg"], pa.large_string()),
        }
    )
    folder = tmp_path / "1"
    write_history(
        folder,
        refresh=refresh_row(1),
        concepts=concepts,
        events=past_table("concept_events", []),
        moves=past_table("image_moves", []),
        curation=past_table("curation", []),
        next_free_id=1,
    )
    row = load_history([folder])["concept_history"].to_pylist()[0]
    assert row["embedding"] == [1.0, 0.0]
    assert row["label_confidence"] is None


def test_a_missing_column_is_refused(tmp_path, refresh_row, past_table):
    with pytest.raises(KeyError, match="kind"):
        write_history(
            tmp_path / "1",
            refresh=refresh_row(1),
            concepts=past_table("concept_history", []),
            events=past_table("concept_events", []).drop_columns(["kind"]),
            moves=past_table("image_moves", []),
            curation=past_table("curation", []),
            next_free_id=1,
        )
    assert list(tmp_path.iterdir()) == []
