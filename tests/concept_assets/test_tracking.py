"""What MLflow holds after a refresh, read back through its own client."""

from __future__ import annotations

import io
import json
import sqlite3
from pathlib import Path

import duckdb
import pytest
from PIL import Image

from concept_assets.tracking.notes import counted, escaped
from concept_assets.tracking.pictures import remove_pictures
from concept_assets.tracking.store import trouble
from concept_lib.settings import SECTIONS, Settings, Tracking
from concept_lib.storage import Home, write_file


@pytest.fixture(scope="module")
def client(refreshed: Home):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{refreshed.mlflow_database}")


@pytest.fixture(scope="module")
def tracked(client, refreshed: Home):
    [experiment] = [found for found in client.search_experiments() if found.name == "concept-atlas"]
    [tracked] = client.search_runs([experiment.experiment_id])
    return tracked


def published(home: Home) -> list[dict]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.sql("SELECT * FROM refreshes ORDER BY refresh_id").to_arrow_table().to_pylist()


def store(home: Home):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{home.mlflow_database}")


def test_one_finished_run_a_refresh_named_after_what_happened(tracked, refreshed: Home) -> None:
    [row] = published(refreshed)
    assert tracked.info.run_id == row["mlflow_run_id"]
    assert tracked.info.status == "FINISHED"
    assert row["title"] == "+48 images, fit"
    assert tracked.info.run_name == "1: +48 images, fit"
    assert tracked.data.tags["dagster_run_id"] == row["dagster_run_id"]
    assert "experiment" not in tracked.data.tags


def test_the_description_leads_to_the_dagster_run_and_to_the_database(tracked, refreshed: Home) -> None:
    [row] = published(refreshed)
    note = tracked.data.tags["mlflow.note.content"]
    assert f"{row['n_images']} images in {row['n_concepts']} concepts" in note
    assert "there is no standing fit" in note
    assert f"/runs/{row['dagster_run_id']})" in note
    assert "/#/experiments/1/runs?compareRunsMode=ARTIFACT&searchFilter=tags.mode%20LIKE%20%27%25%27" in note
    assert f"duckdb -readonly '{refreshed.database}' 'FROM concept_summary'" in note


def test_params_are_the_settings_that_bear_on_results(tracked) -> None:
    every = {f"{name}.{key}" for name, part in SECTIONS.items() for key in part.model_fields}
    params = tracked.data.params
    assert set(params) < every
    assert params["embedding.model"] == "demo"
    assert params["clustering.min_concept_size"] == "5"
    assert {"images.folder", "images.workers", "embedding.device", "clustering.min_samples"}.isdisjoint(
        params
    )
    assert not any(key.startswith("tracking.") for key in params)
    changed = Settings.model_validate({"labels": {"n_words": 4}, "images": {"workers": 2}})
    assert dict(changed.compared().items() - Settings().compared().items()) == {"labels.n_words": "4"}


def test_the_metrics_are_those_of_the_database(tracked, refreshed: Home) -> None:
    metrics = dict(published(refreshed)[0]["metrics"])
    logged = dict(tracked.data.metrics)
    assert logged.pop("seconds_publication") > 0
    assert logged == pytest.approx(metrics)
    expected = {"images", "failed", "concepts", "outlier_share", "silhouette", "relative_validity"}
    expected |= {"label_confidence", "label_diversity", "seconds_images", "seconds_reduced_vectors"}
    assert expected <= set(metrics)


def test_pictures_table_and_dataset_are_there(client, tracked, refreshed: Home, tmp_path: Path) -> None:
    run_id = tracked.info.run_id
    names = {item.path for item in client.list_artifacts(run_id)}
    assert names == {"overview.png", "map.png", "collages", "table_images", "concepts.json"}
    collages = client.list_artifacts(run_id, "collages")
    assert len(collages) == published(refreshed)[0]["n_concepts"]
    file = client.download_artifacts(run_id, collages[0].path, str(tmp_path))
    with Image.open(file) as picture:
        assert picture.format == "JPEG"
        assert max(picture.size) <= 512
    for name in ("overview.png", "map.png"):
        drawn = Path(client.download_artifacts(run_id, name, str(tmp_path)))
        assert Image.open(io.BytesIO(drawn.read_bytes())).format == "PNG"
    table = json.loads(Path(client.download_artifacts(run_id, "concepts.json", str(tmp_path))).read_text())
    assert table["columns"] == ["concept", "label", "images", "confidence", "collage"]
    assert len(table["data"]) == len(collages)
    card = client.download_artifacts(run_id, table["data"][0][4]["filepath"], str(tmp_path))
    with Image.open(card) as picture:
        shown = picture.convert("RGBA").getbbox()
    assert shown[3] <= 256, "MLflow cuts the lower half of a cell"
    [dataset] = tracked.inputs.dataset_inputs
    assert dataset.dataset.name == "photos"


def test_each_run_draws_its_figures_over_the_refreshes(own_home: Home, run) -> None:
    for text in ("3", "4"):
        run(own_home, {"labels.n_words": text})
    rows = published(own_home)
    assert [row["refresh_id"] for row in rows] == [1, 2, 3]
    client = store(own_home)
    for n, row in enumerate(rows, 1):
        history = client.get_metric_history(row["mlflow_run_id"], "concepts")
        assert [(point.step, point.value) for point in history] == [
            (then["refresh_id"], dict(then["metrics"])["concepts"]) for then in rows[:n]
        ]
    last = client.get_run(rows[-1]["mlflow_run_id"]).data
    own = {name: last.metrics[name] for name in dict(rows[-1]["metrics"])}
    assert own == pytest.approx(dict(rows[-1]["metrics"])), "the runs table shows the newest value"
    assert "Fitted anew" not in last.tags["mlflow.note.content"]
    assert "New concepts" not in last.tags["mlflow.note.content"]


def test_what_came_and_went_is_told(own_home: Home, run, regroup) -> None:
    for file in (own_home.path.parent / "photos" / "beach").iterdir():
        file.unlink()
    regroup({"pizza": 0, "clock": 1, "sunflower": 2})
    summary, _ = run(own_home)
    tags = store(own_home).get_run(summary["mlflow_run_id"]).data.tags
    with duckdb.connect(str(own_home.database), read_only=True) as connection:
        died = connection.execute(
            "SELECT label_before FROM concept_events WHERE refresh_id = 2 AND kind = 'died'"
        ).fetchall()
    assert died
    assert f"- Gone: {escaped(died[0][0])}" in tags["mlflow.note.content"]


def test_a_store_out_of_reach_is_a_warning(own_home: Home, run) -> None:
    flags = {"tracking.uri": "http://127.0.0.1:9", "labels.n_words": "3"}
    summary, recorder = run(own_home, flags)
    assert summary["mode"] == "kept"
    assert summary["mlflow_run_id"] is None
    [line] = [said for said in recorder.said if "not tracked" in said]
    assert "MLflow does not answer at http://127.0.0.1:9; start its server" in line


def test_a_store_of_another_release_is_a_warning(own_home: Home, run) -> None:
    with sqlite3.connect(own_home.mlflow_database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    connection.close()
    summary, recorder = run(own_home, {"labels.n_words": "3"})
    assert summary["mlflow_run_id"] is None
    [line] = [said for said in recorder.said if "not tracked" in said]
    assert f"the MLflow store {own_home.mlflow_database} is of another MLflow release" in line
    assert "\n" not in line


def test_trouble_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path)
    locked = trouble(home, Tracking(), OSError("(sqlite3.OperationalError) database is locked\n[SQL: ...]"))
    assert locked == (
        f"the MLflow store {home.mlflow_database} is locked by another program; end what writes to it, then try again"
    )
    assert trouble(home, Tracking(), OSError()).endswith("cannot be used: OSError")


def test_tracking_may_be_off(own_home: Home, run) -> None:
    summary, _ = run(own_home, {"tracking.enabled": "false", "labels.n_words": "3"})
    assert summary["mlflow_run_id"] is None


def test_pictures_of_a_run_are_removed_and_those_elsewhere_are_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    names = ("collages/concept_00001.png", "table_images/concepts/a.webp", "overview.png", "concepts.json")
    for run_id, files in (("tainted", names), ("innocent", names), ("dead", names), ("foreign", names[:1])):
        for name in files:
            write_file(home.mlflow_artifacts / run_id / "artifacts" / name, b"picture")
    runs = {"tainted": None, "remote": "http://tracking", "moved": None}
    told = remove_pictures(home, runs, {"innocent"})
    left = {path.relative_to(home.mlflow_artifacts).parts[0] for path in home.mlflow_artifacts.rglob("*.png")}
    assert left == {"innocent", "foreign"}
    assert [path.name for path in (home.mlflow_artifacts / "tainted").rglob("*.*")] == ["concepts.json"]
    assert [line.partition(" of ")[2].partition(", if")[0] for line in told] == [
        "MLflow run remote at http://tracking",
        "MLflow run moved at its place outside this home",
        "the MLflow runs with the tag experiment at http://tracking",
    ]


def test_a_publication_that_fails_ends_its_run_as_failed(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concept_lib.database import rebuild
    from concept_lib.errors import ConceptError

    def broken(*args: object, **kwargs: object) -> None:
        raise OSError("No space left on device")

    before = own_home.database.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "build_database", broken)
        with pytest.raises(ConceptError, match="No space left"):
            run(own_home, {"labels.n_words": "3"})
    assert own_home.database.read_bytes() == before
    found = store(own_home).search_runs(["1"])
    assert sorted(item.info.status for item in found) == ["FAILED", "FINISHED"]
    summary, _ = run(own_home, {"labels.n_words": "3"})
    assert summary["refresh_id"] == 3, "the failed refresh leaves a gap"


def test_words_of_any_kind_are_no_markup() -> None:
    assert escaped("a|b <i>*x*</i>\n[y](z)") == r"a\|b \<i\>\*x\*\</i\> \[y\](z)"
    assert counted(1, 0, 1, 2) == "1 image in no concepts, 1 outlier, 2 files failed"
