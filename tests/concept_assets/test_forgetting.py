"""After an image is forgotten, nothing in the home is made of it, and its id is only where it must be."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from concept_assets.oblivion import forget
from concept_assets.trials import experiment
from concept_assets.undo import refreshes
from concept_lib import forgetting
from concept_lib.database.integrity import dangling_references
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

PICTURES = ("overview.png", "collages", "table_images")


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def files_with(home: Home, sought: bytes) -> set[str]:
    """Files under the home that hold some bytes."""
    files = (path for path in home.path.rglob("*") if path.is_file())
    return {home.relative(path) for path in files if sought in path.read_bytes()}


def tables_with(home: Home, image_id: str) -> set[str]:
    """Parquet files, which are compressed, that hold an id in any column."""
    found = set()
    for path in home.path.rglob("*.parquet"):
        if any(image_id in map(str, column.to_pylist()) for column in pq.read_table(path).columns):
            found.add(home.relative(path))
    return found


def previews(home: Home) -> set[bytes]:
    """Pieces of every picture in Dagster's event log, short enough to lie in one page of its files."""
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION)
        )
    found = set()
    for record in records:
        made = record.event_log_entry.asset_materialization
        shown = made.metadata.get("preview") if made else None
        if shown is not None:
            text = shown.value.partition("base64,")[2].rstrip(")")
            found |= {text[start : start + 40].encode() for start in range(200, len(text) - 40, 400)}
    return found


@pytest.fixture
def forget_it(own_home: Home, listener):
    """Forget an image; gives the lines that a person reads."""

    def go(image: str, agree: Callable[[str], bool] = lambda _: True) -> list[str] | None:
        return forget(own_home, image, agree, listener, print)

    return go


def test_a_forgotten_image_leaves_no_trace(
    own_home: Home, run, back, forget_it, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(own_home, {"labels.n_words": "3"})
    [(image_id, path, thumbnail, vector, concept_id)] = rows(
        own_home,
        "SELECT image_id, path, thumbnail, embedding, concept_id FROM images JOIN image_embeddings USING (image_id) "
        "JOIN concept_images USING (image_id) WHERE exemplar_rank = 1 ORDER BY path LIMIT 1",
    )
    sought = np.array(vector, np.float32).tobytes()
    assert any(name.startswith("cache/vectors/") for name in files_with(own_home, sought))
    assert any(name.startswith("assets/") for name in files_with(own_home, sought))
    [(run_id,)] = rows(own_home, "SELECT mlflow_run_id FROM refreshes WHERE refresh_id = 1")
    artifacts = own_home.mlflow_artifacts / run_id / "artifacts"
    assert all((artifacts / name).exists() for name in PICTURES)
    trial = experiment(own_home, {"labels.n_shown": ["1"]}, None, lambda *_: None, print).rows[0]["run_id"]
    tried = own_home.mlflow_artifacts / trial / "artifacts"
    assert all((tried / name).exists() for name in PICTURES)
    shown = previews(own_home)
    assert files_with(own_home, next(iter(shown))) >= {
        f"dagster/history/runs/{name}.db" for name in ("index",)
    }
    before = rows(own_home, "SELECT image_id, concept_id FROM membership_at(1) ORDER BY ALL")
    vectors = rows(own_home, "SELECT refresh_id, concept_id, embedding FROM concept_history ORDER BY ALL")

    asked: list[str] = []
    assert forget_it(path, asked.append) is None
    assert path in asked[0]
    assert "The states of refreshes 1, 2 go with it" in asked[0]
    assert rows(own_home, "SELECT max(refresh_id) FROM refreshes") == [(2,)]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # a process that is ended midway
        patch.setattr(forgetting, "forget_vectors", die)
        with pytest.raises(KeyboardInterrupt):
            forget_it(path)
    lines = forget_it(image_id[:10])
    assert lines[0].startswith(path)

    assert files_with(own_home, sought) == set()
    kept = previews(own_home)
    assert len(kept) > 100, "the pictures of the refresh without it stay"
    for piece in shown - kept:
        assert files_with(own_home, piece) == set()
    assert len(shown - kept) > 100
    assert not (own_home.path / thumbnail).exists()
    assert rows(own_home, f"SELECT status, reason FROM image_files WHERE image_id = '{image_id}'") == [
        ("skipped", "forgotten")
    ]
    for table in ("images", "concept_images", "image_embeddings"):
        assert rows(own_home, f"SELECT count(*) FROM {table} WHERE image_id = '{image_id}'") == [(0,)], table
    for folder in (artifacts, tried):
        assert not any((folder / name).exists() for name in PICTURES)
        assert (folder / "concepts.json").is_file()
        assert {path.name for path in folder.rglob("*.*")} == {"concepts.json", "map.png"}
    assert len(list(own_home.asset_folder("exemplar_collages").glob("*/meta.json"))) == 1
    [(present,)] = rows(
        own_home,
        "SELECT data_versions -> 'assets' ->> '$.images.data_version' FROM refreshes WHERE refresh_id = 3",
    )
    assert tables_with(own_home, image_id) == {
        "cache/scan.parquet",
        f"assets/images/{present}/files.parquet",
        "history/1/image_moves.parquet",
        "history/3/image_moves.parquet",
    }
    elsewhere = {name for name in files_with(own_home, image_id.encode()) if not name.endswith(".parquet")}
    assert elsewhere <= {"forgotten", "concepts.duckdb"}

    assert rows(own_home, "SELECT image_id, concept_id FROM membership_at(1) ORDER BY ALL") == before
    after = rows(own_home, "SELECT refresh_id, concept_id, embedding FROM concept_history ORDER BY ALL")
    expected = [(r, c, [] if c == concept_id else v) for r, c, v in vectors]
    assert [row for row in after if row[0] < 3] == sorted(expected)
    assert all(vector for number, _, vector in after if number == 3)
    assert dangling_references(own_home.database) == {}
    assert {row["refresh_id"]: row["state"] for row in refreshes(own_home)} == {
        3: "present",
        2: "gone",
        1: "gone",
    }
    with pytest.raises(ConceptError, match="no longer kept"):
        back(own_home, 1)
    assert run(own_home)[0]["mode"] == "unchanged"


def test_an_image_that_is_not_meant_clearly_is_refused(own_home: Home, forget_it) -> None:
    before = own_home.database.read_bytes()
    for text in ("nowhere.jpg", "abc", "beach"):
        with pytest.raises(ConceptError, match=f"no image has the path {text}"):
            forget_it(text)
    assert own_home.database.read_bytes() == before
    assert not own_home.forgotten.exists()
