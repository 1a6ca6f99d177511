"""An experiment on a small home: what it finds, what it leaves alone, and how it ends."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from mlflow import MlflowClient

from concept_assets import trials
from concept_assets.environment import prepare
from concept_assets.tracking.store import EXPERIMENT, HOME, NOTE, PARENT
from concept_assets.trials import Outcome, experiment
from concept_lib.errors import ConceptError
from concept_lib.experiment.grid import points_of
from concept_lib.storage import Home

GRID = {"clustering.min_concept_size": ["5", "13"], "reduction.n_neighbors": ["6", "8"]}


def silent(*_: object) -> None:
    pass


def store(home: Home) -> MlflowClient:
    return MlflowClient(f"sqlite:///{home.mlflow_database}")


def runs_of(home: Home, name: str) -> list:
    return store(home).search_runs(["1"], f"tags.{EXPERIMENT} = '{name}'", order_by=["attributes.start_time"])


def digests(home: Home) -> dict[str, str]:
    """All that is published, and all that it is made of."""
    places = (home.assets, home.histories, home.cache, home.dagster)
    files = [home.database, home.settings_file, *(path for place in places for path in place.rglob("*"))]
    return {
        home.relative(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


@pytest.fixture(scope="module")
def home(copy_home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return copy_home(tmp_path_factory.mktemp("tried") / "own")


@pytest.fixture(scope="module")
def tried(home: Home) -> tuple[Outcome, dict[str, str], dict[str, str]]:
    """One experiment of four trials, and the home before and after."""
    before = digests(home)
    seen: list[tuple[int, int]] = []
    with contextlib.chdir(home.path.parent):
        outcome = experiment(home, GRID, "sizes", lambda done, total: seen.append((done, total)), print)
    assert seen == [(n, 4) for n in range(5)]
    return outcome, before, digests(home)


def test_nothing_that_is_published_changes(tried) -> None:
    _, before, after = tried
    assert before == after
    assert any(name.startswith("history/") for name in before)
    assert "concepts.duckdb" in before


def test_a_run_a_trial_below_one_that_ranks_them(home: Home, tried, tmp_path: Path) -> None:
    outcome = tried[0]
    parent, *children = runs_of(home, "sizes")
    assert parent.info.run_id == outcome.run_id
    assert PARENT not in parent.data.tags
    assert {run.data.tags[PARENT] for run in children} == {outcome.run_id}
    assert {run.info.status for run in (parent, *children)} == {"FINISHED"}
    assert [run.info.run_name for run in children] == [
        "min_concept_size=5 n_neighbors=6",
        "min_concept_size=5 n_neighbors=8",
        "min_concept_size=13 n_neighbors=6",
        "min_concept_size=13 n_neighbors=8",
    ]
    assert [run.data.params["reduction.n_neighbors"] for run in children] == ["6", "8", "6", "8"]
    artifacts = {"overview.png", "map.png", "collages", "table_images", "concepts.json"}
    for run in children:
        found = {item.path for item in store(home).list_artifacts(run.info.run_id)}
        assert found == (artifacts if run.data.metrics["concepts"] else {"overview.png", "map.png"})
    file = store(home).download_artifacts(outcome.run_id, "ranking.json", str(tmp_path))
    table = json.loads(Path(file).read_text())
    assert table["columns"][:4] == ["rank", "min_concept_size", "n_neighbors", "score"]
    ids = [row[table["columns"].index("run_id")] for row in table["data"]]
    assert ids == [row["run_id"] for row in outcome.rows]
    assert sorted(ids) == sorted(run.info.run_id for run in children)
    assert all(f"/runs/{run_id}?" in parent.data.tags[NOTE] for run_id in ids)


def test_best_first(home: Home, tried) -> None:
    rows = tried[0].rows
    scores = [row["score"] if row["score"] is not None else -2.0 for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0
    logged = {run.info.run_id: run.data.metrics for run in runs_of(home, "sizes")}
    for row in rows:
        assert logged[row["run_id"]].get("score") == pytest.approx(row["score"])
        assert logged[row["run_id"]]["outliers"] == row["outliers"]


@pytest.mark.parametrize(
    "flags",
    [
        {"clustering.min_concept_size": "5", "reduction.n_neighbors": "6"},
        {"clustering.min_samples": "2", "exemplars.n_exemplars": "4"},
        {"labels.method": "ctfidf", "labels.n_shown": "2"},
    ],
    ids=["another layout", "other groups and exemplars", "other labels"],
)
def test_a_trial_finds_what_a_refresh_publishes(own_home: Home, run, flags: dict[str, str]) -> None:
    grid = {key: [value] for key, value in flags.items()}
    [row] = experiment(own_home, grid, None, silent, silent).rows
    summary, _ = run(own_home, flags)
    client = store(own_home)
    trial, refresh = (client.get_run(key) for key in (row["run_id"], summary["mlflow_run_id"]))
    same = trial.data.metrics.keys() & refresh.data.metrics.keys() - {"seconds_total"}
    assert {"concepts", "outliers", "silhouette", "label_confidence", "ari", "born", "mean_drift"} <= same
    assert {key: trial.data.metrics[key] for key in same} == {key: refresh.data.metrics[key] for key in same}
    assert trial.data.params == refresh.data.params
    folders = [own_home.mlflow_artifacts / found.info.run_id / "artifacts" for found in (trial, refresh)]
    pictures = [{path.name: path.read_bytes() for path in folder.rglob("*.[jp][pn]g")} for folder in folders]
    assert pictures[0]["overview.png"] == pictures[1]["overview.png"]
    shared = [name for name in pictures[0] if name.startswith("concept_")]
    assert shared
    assert all(pictures[0][name] == pictures[1][name] for name in shared)
    tables = [json.loads((folder / "concepts.json").read_text())["data"] for folder in folders]
    assert [row[:4] for row in tables[0]] == [row[:4] for row in tables[1]]


def test_an_interruption_keeps_what_is_done(own_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    real = trials.run_trials

    def ended(*args: object) -> Iterator:
        yield next(iter(real(*args)))
        raise KeyboardInterrupt

    monkeypatch.setattr(trials, "run_trials", ended)
    with pytest.raises(KeyboardInterrupt):
        experiment(own_home, {"labels.n_words": ["3", "4"]}, "cut", silent, silent)
    assert [run.info.status for run in runs_of(own_home, "cut")] == ["KILLED", "FINISHED"]


def test_a_refresh_leaves_a_living_experiment_alone_and_the_next_experiment_a_dead_one_not(
    own_home: Home, run
) -> None:
    client = store(own_home)
    left = client.create_run("1", tags={EXPERIMENT: "left", HOME: str(own_home.path)})
    run(own_home, {"labels.n_words": "3"})
    assert client.get_run(left.info.run_id).info.status == "RUNNING"
    experiment(own_home, {"labels.n_words": ["3"]}, None, silent, silent)
    assert client.get_run(left.info.run_id).info.status == "KILLED"


def test_what_is_wrong_is_told_in_one_line(
    own_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = {"labels.n_words": ["3"]}
    with pytest.raises(ConceptError, match=r"nothing is published in .*; run: concept refresh"):
        experiment(Home(tmp_path / "new"), grid, None, silent, silent)
    assert not (tmp_path / "new").exists()
    with monkeypatch.context() as patch:
        patch.setenv("CONCEPT_TRACKING__URI", "http://127.0.0.1:9")
        with pytest.raises(
            ConceptError, match=r"MLflow does not answer at http://127.0.0.1:9; start its server"
        ):
            experiment(own_home, grid, None, silent, silent)
    with monkeypatch.context() as patch:
        patch.setenv("CONCEPT_TRACKING__ENABLED", "false")
        with pytest.raises(ConceptError, match=r"tracking.enabled is false"):
            experiment(own_home, grid, None, silent, silent)
    for path in own_home.asset_folder("labels").glob("*/labels.parquet"):
        path.write_bytes(b"damaged")
    with pytest.raises(ConceptError, match=r"labels are missing or damaged; .*concept refresh"):
        experiment(own_home, grid, None, silent, silent)
    assert len(store(own_home).search_runs(["1"])) == 1, "nothing was logged"


def test_the_job_of_dagster_does_the_same(own_home: Home) -> None:
    from concept_assets.definitions import defs

    prepare(own_home)
    job = defs.resolve_job_def("experiment")
    shown = dg.validate_run_config(job, job.run_config)["ops"]["try_settings"]["config"]
    assert len(points_of(own_home, {key: list(map(str, shown["grid"][key])) for key in shown["grid"]})) == 2
    before = digests(own_home)
    result = job.execute_in_process(
        run_config={
            "ops": {"try_settings": {"config": {"grid": {"labels.n_words": [3, "4"]}, "name": "words"}}},
            "resources": {"storage": {"config": {"home": str(own_home.path)}}},
        }
    )
    assert result.success
    assert digests(own_home) == before
    parent, *children = runs_of(own_home, "words")
    assert [run.data.params["labels.n_words"] for run in children] == ["3", "4"]
    [output] = [event for event in result.all_events if event.is_successful_output]
    metadata = output.step_output_data.metadata
    assert f"/runs/{parent.info.run_id}?" in metadata["mlflow_run"].url
    assert metadata["trials"].value == 2
    assert "| rank" in metadata["ranking"].value


def test_the_command_as_it_is_written_in_the_help(own_home: Home, tmp_path: Path) -> None:
    line = [
        "experiment",
        "--grid",
        "clustering.min_concept_size=5,9",
        "labels.n_words=2,3",
        "--home",
        own_home.path,
    ]
    command = [sys.executable, "-m", "concept_assets.cli", *map(str, line)]
    found = subprocess.run([*command, "--json"], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    assert found.returncode == 0, found.stderr
    told = json.loads(found.stdout)
    assert told["name"] == "try min_concept_size, n_words"
    assert len(told["trials"]) == 4
    assert f"/runs/{told['mlflow_run_id']}?" in told["mlflow"]
    wrong = subprocess.run([*command, "labels.n_shown=0"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-1].startswith("error: labels.n_shown = 0 (flag)")
