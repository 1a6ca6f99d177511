"""What people and machines do to a home, and how the next refresh takes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from concept_assets.definitions import ASSETS
from concept_assets.resources import EncoderResource, StorageResource
from concept_lib.errors import ConceptError
from concept_lib.settings_sources import keep, kept
from concept_lib.storage import Home


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def count(home: Home, query: str) -> int:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()[0][0]


def test_a_setting_that_changes_no_result_is_published_once(own_home: Home, run) -> None:
    run(own_home, {"vocabulary.source": "none"})
    summary, done = run(own_home, {"labels.n_words": "3"})
    assert summary["mode"] == "kept"
    assert json.loads(_settings(own_home))["labels"]["n_words"] == 3
    again, done = run(own_home)
    assert again["mode"] == "unchanged"
    assert done.computed == done.reused == []


def _settings(home: Home) -> str:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        query = "SELECT settings::VARCHAR FROM refreshes ORDER BY refresh_id DESC LIMIT 1"
        return connection.execute(query).fetchall()[0][0]


def test_a_file_that_ran_out_of_time_gets_another_chance(run, gallery: Path, tmp_path: Path) -> None:
    home, flags = Home(tmp_path / "home"), {"embedding.model": "demo", "images.folder": str(gallery)}
    hurried, _ = run(home, {**flags, "images.decode_seconds": "0.0001"})
    assert hurried["n_failed"] > 0
    patient, _ = run(home, {**flags, "images.decode_seconds": "10"})
    assert (patient["n_failed"], patient["n_images"]) == (0, 48)


def test_a_home_among_the_images_does_not_feed_on_itself(run, gallery: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(gallery / "pizza", folder)
    home = Home(folder / "data")
    flags = {"embedding.model": "demo", "images.folder": str(folder)}
    assert run(home, flags)[0]["n_files"] == 12
    assert run(home)[0]["mode"] == "unchanged"
    with pytest.raises(ConceptError, match="both the folder of images and the home"):
        run(home, {"images.folder": str(home.path)})


def test_a_log_that_a_foreign_writer_left_locks_nobody_out(own_home: Home, run, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.duckdb"
    code = f"""
import duckdb, os
connection = duckdb.connect({str(foreign)!r})
connection.execute('CREATE TABLE t AS SELECT 1')
os._exit(1)
"""
    subprocess.run([sys.executable, "-c", code], check=False)
    shutil.copy(f"{foreign}.wal", f"{own_home.database}.wal")
    with pytest.raises(duckdb.Error):
        count(own_home, "SELECT count(*) FROM images")
    assert run(own_home)[0]["mode"] == "unchanged"
    assert count(own_home, "SELECT count(*) FROM images") == 48


def test_a_model_that_cannot_be_loaded_says_what_to_do(own_home: Home, run, tmp_path: Path) -> None:
    weights = tmp_path / "model"
    with resources.as_file(resources.files("concept_lib.embedding.demo_model") / "weights") as demo:
        shutil.copytree(demo, weights)
    (weights / "model.safetensors").write_bytes((weights / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ConceptError, match="cannot be loaded"):
        run(own_home, {"embedding.model": str(weights)})


def test_scratch_records_may_be_damaged(own_home: Home, run) -> None:
    for record in (own_home.path / "assets").glob("*/current.json"):
        record.write_text("{")
    assert run(own_home)[0]["mode"] == "unchanged"
    assert run(own_home, {"labels.n_words": "3"})[0]["mode"] == "kept"


def test_a_lost_history_is_told_with_a_way_out(own_home: Home, run) -> None:
    shutil.rmtree(own_home.histories)
    with pytest.raises(ConceptError, match="put history/ back"):
        run(own_home)


def test_a_damaged_history_is_told_before_any_work(own_home: Home, run) -> None:
    file = own_home.history(1) / "image_moves.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ConceptError, match="refresh 1 is left out"):
        run(own_home, {"labels.n_words": "3"})


def test_a_misspelt_setting_of_the_home_can_be_taken_back(own_home: Home, run) -> None:
    own_home.settings_file.write_text(own_home.settings_file.read_text() + "\n[labels]\nfoo = 1\n")
    with pytest.raises(ConceptError, match=r"labels\.foo"):
        run(own_home)
    assert run(own_home, {"labels.foo": ""})[0]["mode"] == "unchanged"
    assert "labels.foo" not in kept(own_home)


def test_assets_of_other_settings_are_not_published(own_home: Home) -> None:
    def materialize(asset: str, **overrides: str) -> dg.ExecuteInProcessResult:
        storage = StorageResource(home=str(own_home.path), overrides=overrides)
        with dg.DagsterInstance.ephemeral() as instance:
            return dg.materialize(
                ASSETS,
                instance=instance,
                selection=[asset],
                resources={"storage": storage, "encoder": EncoderResource()},
                raise_on_error=False,
            )

    assert materialize("labels", **{"labels.n_words": "3"}).success
    assert not materialize("concept_database").success
    assert count(own_home, "SELECT count(*) FROM refreshes") == 1
    assert materialize("concept_database", **{"labels.n_words": "3"}).success
    assert count(own_home, "SELECT max(rank) FROM concept_words") == 3


def test_an_mlflow_run_of_a_dead_process_is_ended(own_home: Home, run) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{own_home.mlflow_database}")
    left = client.create_run("1", tags={"home": str(own_home.path)})
    run(own_home, {"labels.n_words": "3"})
    assert client.get_run(left.info.run_id).info.status == "KILLED"


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_refresh_that_was_ended_goes_on_from_there(
    gallery: Path, tmp_path: Path, sent: signal.Signals, run
) -> None:
    home = Home(tmp_path / "home")
    keep(home, {"images.folder": str(gallery), "embedding.model": "demo", "clustering.min_concept_size": "5"})
    command = [str(Path(sys.executable).with_name("concept")), "refresh", "--home", str(home.path)]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    vectors = home.asset_folder("image_embeddings") / "current.json"
    deadline = time.monotonic() + 120
    while not vectors.is_file():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    os.killpg(process.pid, sent)
    _, said = process.communicate(timeout=60)
    if sent == signal.SIGINT:
        assert process.returncode == 130
        assert "Traceback" not in said
        assert "goes on from here" in said.splitlines()[-1]
    assert not home.database.exists()
    summary, _ = run(home)
    assert (summary["mode"], summary["n_images"], summary["n_embedded"]) == ("fit", 48, 0)
