"""What MLflow holds after a refresh, read back through its own client."""

from __future__ import annotations

import io
import json
from pathlib import Path

import duckdb
import pytest
from PIL import Image

from concept_assets.tracking.pictures import remove_pictures
from concept_lib.settings import SECTIONS
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


def published(home: Home) -> dict:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.sql("SELECT * FROM refreshes").to_arrow_table().to_pylist()[0]


def test_one_finished_run_a_refresh_named_after_what_happened(tracked, refreshed: Home) -> None:
    row = published(refreshed)
    assert tracked.info.run_id == row["mlflow_run_id"]
    assert tracked.info.status == "FINISHED"
    assert tracked.info.run_name == row["title"] == "+48 images, fit"
    assert tracked.data.tags["dagster_run_id"] == row["dagster_run_id"]


def test_every_setting_is_a_param_and_the_metrics_are_those_of_the_database(tracked, refreshed: Home) -> None:
    assert set(tracked.data.params) == {
        f"{name}.{key}" for name, part in SECTIONS.items() for key in part.model_fields
    }
    assert tracked.data.params["embedding.model"] == "demo"
    metrics = dict(published(refreshed)["metrics"])
    logged = dict(tracked.data.metrics)
    assert logged.pop("seconds_publication") > 0
    assert logged == pytest.approx(metrics)
    expected = {"images", "failed", "concepts", "outlier_share", "silhouette", "relative_validity"}
    expected |= {"label_confidence", "label_diversity", "seconds_images", "seconds_reduced_vectors"}
    assert expected <= set(metrics)


def test_collages_overview_table_and_dataset_are_there(
    client, tracked, refreshed: Home, tmp_path: Path
) -> None:
    run_id = tracked.info.run_id
    names = {item.path for item in client.list_artifacts(run_id)}
    assert {"overview.png", "collages", "concepts.json"} <= names
    collages = client.list_artifacts(run_id, "collages")
    assert len(collages) == published(refreshed)["n_concepts"]
    file = client.download_artifacts(run_id, collages[0].path, str(tmp_path))
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        assert max(picture.size) <= 256
    overview = Path(client.download_artifacts(run_id, "overview.png", str(tmp_path)))
    assert Image.open(io.BytesIO(overview.read_bytes())).format == "PNG"
    table = json.loads(Path(client.download_artifacts(run_id, "concepts.json", str(tmp_path))).read_text())
    assert table["columns"] == ["concept", "label", "images", "confidence", "collage"]
    assert len(table["data"]) == len(collages)
    [dataset] = tracked.inputs.dataset_inputs
    assert dataset.dataset.name == "image_folder"


def test_a_store_out_of_reach_is_a_warning(own_home: Home, run) -> None:
    flags = {"tracking.uri": "http://127.0.0.1:9", "labels.n_words": "3"}
    summary, _ = run(own_home, flags)
    assert summary["mode"] == "kept"
    assert summary["mlflow_run_id"] is None


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
    assert [("remote at http://tracking" in line, "moved at" in line) for line in told] == [
        (True, False),
        (False, True),
    ]


def test_a_publication_that_fails_ends_its_run_as_failed(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

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
    found = MlflowClient(f"sqlite:///{own_home.mlflow_database}").search_runs(["1"])
    assert sorted(item.info.status for item in found) == ["FAILED", "FINISHED"]
    summary, _ = run(own_home, {"labels.n_words": "3"})
    assert summary["refresh_id"] == 3, "the failed refresh leaves a gap"
