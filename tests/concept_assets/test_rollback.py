"""Back to an earlier state: it is published anew, and no automatic refresh undoes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

from concept_assets.undo import refreshes, resume
from concept_lib.database.integrity import dangling_references
from concept_lib.errors import ConceptError
from concept_lib.images.sample import render
from concept_lib.storage import Home

PRESENT = (
    "images",
    "image_files",
    "vocabulary",
    "concepts",
    "concept_images",
    "concept_words",
    "image_embeddings",
    "word_embeddings",
)


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def present(home: Home) -> dict[str, list[tuple]]:
    return {table: rows(home, f"SELECT * FROM {table} ORDER BY ALL") for table in PRESENT}


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def states(home: Home) -> dict[int, str]:
    return {row["refresh_id"]: row["state"] for row in refreshes(home)}


@pytest.fixture
def changed(own_home: Home, run) -> Home:
    """A second refresh: pizzas are gone, beaches came."""
    shutil.rmtree(photos(own_home) / "pizza")
    for number in range(3):
        render("beach", 5_200_000 + number, 128).save(photos(own_home) / "beach" / f"new{number}.jpg")
    run(own_home)
    return own_home


def test_an_earlier_state_comes_back_whole_and_the_next_refresh_goes_on(
    refreshed: Home, changed: Home, run, back
) -> None:
    second, earlier = present(changed), present(refreshed)
    [(free,)] = rows(changed, "SELECT max(concept_id) + 1 FROM concept_history")
    photos(changed).rename(photos(changed).with_name("unmounted"))
    result, done = back(changed, 1)
    assert done.computed == ["concept_database"]
    assert (result["refresh_id"], result["mode"], result["n_embedded"]) == (3, "rollback", 0)
    assert present(changed) == earlier != second
    assert dangling_references(changed.database) == {}
    [row] = rows(
        changed,
        "SELECT previous_refresh_id, restored_refresh_id, fit_refresh_id, title FROM refreshes "
        "WHERE refresh_id = 3",
    )
    assert row == (2, 1, 1, "back to refresh 1")
    came_and_left = "count(*) FILTER (from_concept_id IS NULL), count(*) FILTER (to_concept_id IS NULL)"
    assert rows(changed, f"SELECT {came_and_left} FROM image_moves WHERE refresh_id = 3") == [(12, 3)]
    died = rows(changed, "SELECT concept_id FROM concept_events WHERE kind = 'died' AND refresh_id = 2")
    assert died
    assert set(died) == set(rows(changed, "SELECT concept_id FROM latest_changes WHERE kind = 'born'"))
    from mlflow import MlflowClient

    tracked = MlflowClient(f"sqlite:///{changed.mlflow_database}").get_run(result["mlflow_run_id"])
    assert (tracked.data.tags["mode"], tracked.info.run_name) == ("rollback", "3: back to refresh 1")

    assert states(changed) == {3: "present", 2: "kept", 1: "same"}
    with pytest.raises(ConceptError, match="refresh 1 is the present state already"):
        back(changed, 1)
    photos(changed).with_name("unmounted").rename(photos(changed))
    after, done = run(changed)
    assert [line for line in done.said if "concept resume" in line and "rollback to refresh 1" in line]
    assert {row[0] for row in present(changed)["images"]} == {row[0] for row in second["images"]}
    assert after["refresh_id"] == 4
    born = rows(changed, "SELECT concept_id FROM concept_events WHERE kind = 'born' AND refresh_id = 4")
    assert all(concept_id >= free for (concept_id,) in born), (
        "an id of a state that was left is not used again"
    )
    assert json.loads((changed.history(4) / "meta.json").read_bytes())["next_free_id"] >= free
    assert resume(changed, print).startswith("since the rollback to refresh 1 at ")
    assert resume(changed, print) is None
    assert run(changed)[1].said == []


def test_a_state_that_cannot_come_back_is_refused_in_one_line(changed: Home, back) -> None:
    before = changed.database.read_bytes()
    with pytest.raises(ConceptError, match=r"no refresh 9; see: concept refreshes"):
        back(changed, 9)
    with pytest.raises(ConceptError, match="refresh 2 is the present state already"):
        back(changed, 2)
    assert states(changed) == {2: "present", 1: "kept"}
    [(told,)] = rows(changed, "SELECT data_versions::VARCHAR FROM refreshes WHERE refresh_id = 1")
    version = json.loads(told)["assets"]["clusters"]["data_version"]
    file = changed.asset_folder("clusters") / version / "members.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ConceptError, match="refresh 1 are no longer kept whole; one can go back to: none"):
        back(changed, 1)
    file.unlink()
    assert states(changed) == {2: "present", 1: "gone"}
    assert changed.database.read_bytes() == before
    assert not changed.paused.exists()
