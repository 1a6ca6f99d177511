"""The real `concept ui`: what it prints, what its servers tell, and how it ends."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import duckdb
import pytest
from PIL import Image

from concept_lib.storage import Home

ENDS = 5.0  # seconds


def refreshes(home: Home) -> list[dict]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.sql("SELECT * FROM refreshes ORDER BY refresh_id").to_arrow_table().to_pylist()


def test_it_prints_a_link_a_server_and_how_to_ask_in_sql(served) -> None:
    [experiment] = served.mlflow(
        "experiments/search", {"max_results": 9, "filter": "name = 'concept-atlas'"}
    )["experiments"]
    where = f"#/experiments/{experiment['experiment_id']}/runs?workflowType=machine_learning"
    assert served.lines == [
        f"Dagster  http://127.0.0.1:{served.port}/asset-groups",
        f"MLflow   http://127.0.0.1:{served.port + 1}/{where}",
        f"SQL      concept sql --home {served.home.path}",
    ]
    for line in served.lines[:2]:
        with urllib.request.urlopen(line.split()[1], timeout=60) as page:
            assert b"<html" in page.read().lower()
    assert (served.home.path.parent / "ui.err").read_text() == "Ctrl-C ends them.\n"


def test_dagster_tells_assets_runs_and_what_starts_them(served) -> None:
    told = served.graphql(
        "{ assetNodes { assetKey { path } isMaterializable groupName description"
        " assetMaterializations(limit: 9) { runId metadataEntries { label } } }"
        " runsOrError { ... on Runs { results { runId status jobName } } }"
        " workspaceOrError { ... on Workspace { locationEntries { name loadStatus"
        " locationOrLoadError { ... on RepositoryLocation { repositories { jobs { name }"
        " sensors { name sensorState { status } } schedules { name } } } } } } } }"
    )
    [location] = told["workspaceOrError"]["locationEntries"]
    assert (location["name"], location["loadStatus"]) == ("concept_atlas", "LOADED")
    [repository] = location["locationOrLoadError"]["repositories"]
    assert "refresh" in {job["name"] for job in repository["jobs"]}
    assert {"name": "watch", "sensorState": {"status": "RUNNING"}} in repository["sensors"]
    runs = [row["dagster_run_id"] for row in refreshes(served.home)]
    assert len(runs) == 3
    assert {run["runId"]: run["status"] for run in told["runsOrError"]["results"]} == dict.fromkeys(
        runs, "SUCCESS"
    )
    ours = {node["assetKey"]["path"][-1]: node for node in told["assetNodes"] if node["isMaterializable"]}
    assert {"images", "image_embeddings", "reduced_vectors", "clusters", "labels", "concept_database"} <= set(
        ours
    )
    for name, node in ours.items():
        assert node["description"], name
        assert node["groupName"] != "default", name
        made = node["assetMaterializations"]
        assert {event["runId"] for event in made} <= set(runs), name
        assert {entry["label"] for entry in made[0]["metadataEntries"]} & {"seconds", "reused"}, name
    assert {"n_images", "images"} & {
        entry["label"] for entry in ours["concept_database"]["assetMaterializations"][0]["metadataEntries"]
    }


def test_dagster_tells_what_the_checks_found(served) -> None:
    told = served.graphql(
        "{ assetNodes { assetChecksOrError { ... on AssetChecks { checks { name blocking"
        " executionForLatestMaterialization { status runId } } } } } }"
    )
    checks = {
        check["name"]: check
        for node in told["assetNodes"]
        for check in node["assetChecksOrError"].get("checks", [])
    }
    assert {"references_hold", "every_file_is_accounted_for", "few_files_failed", "few_outliers"} <= set(
        checks
    )
    assert checks["references_hold"]["blocking"]
    ran = [found["executionForLatestMaterialization"] for found in checks.values()]
    assert {found["status"] for found in ran if found} == {"SUCCEEDED"}
    assert checks["references_hold"]["executionForLatestMaterialization"] is not None


def test_mlflow_tells_runs_tags_and_pictures(served) -> None:
    experiment = served.lines[1].partition("/experiments/")[2].partition("/")[0]
    told = served.mlflow(
        "runs/search", {"experiment_ids": [experiment], "order_by": ["attributes.start_time ASC"]}
    )
    rows = refreshes(served.home)
    assert [run["info"]["run_id"] for run in told["runs"]] == [row["mlflow_run_id"] for row in rows]
    assert [run["info"]["run_name"] for run in told["runs"]] == [
        f"{row['refresh_id']}: {row['title']}" for row in rows
    ]
    for run, row in zip(told["runs"], rows, strict=True):
        assert run["info"]["status"] == "FINISHED"
        tags = {tag["key"]: tag["value"] for tag in run["data"]["tags"]}
        assert (tags["dagster_run_id"], tags["refresh_id"]) == (row["dagster_run_id"], str(row["refresh_id"]))
        metrics = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
        assert (metrics["images"], metrics["concepts"]) == (row["n_images"], row["n_concepts"])
    last = rows[-1]["mlflow_run_id"]
    listed = served.mlflow(f"artifacts/list?run_id={last}&path=collages")["files"]
    assert len(listed) == rows[-1]["n_concepts"]
    where = urllib.parse.urlencode({"run_uuid": last, "path": listed[0]["path"]})
    with urllib.request.urlopen(
        f"http://127.0.0.1:{served.port + 1}/get-artifact?{where}", timeout=60
    ) as answer:
        assert Image.open(io.BytesIO(answer.read())).format == "JPEG"


def start(home: Home, port: int) -> subprocess.CompletedProcess[str]:
    """The command, where it ends by itself."""
    command = [
        sys.executable,
        "-m",
        "concept_assets.cli",
        "ui",
        "--home",
        home.path,
        "--port-base",
        str(port),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_port_that_is_taken_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = start(Home(tmp_path / "home"), port - 1)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith(
        f"error: port {port} is taken, so MLflow cannot use it; take others with: --port-base "
    )
    assert said.stderr.count("\n") == 1
    assert not (tmp_path / "home" / "logs").exists(), "nothing was started"


def test_a_home_is_served_once(served) -> None:
    said = start(served.home, served.port - 100)
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == f"error: {served.home.path} is served by another concept ui; end that one first\n"


def children(pid: int) -> dict[int, str]:
    """All processes below one, and their command lines."""
    below = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        below[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        below |= children(int(child))
    return below


def wait_until_gone(processes: dict[int, str]) -> None:
    deadline = time.monotonic() + ENDS
    while alive := [line for pid, line in processes.items() if is_alive(pid)]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())  # a dead one that nobody waited for has none
    except (FileNotFoundError, ProcessLookupError):
        return False


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="processes are looked up in /proc"
)


@needs_proc
def test_an_empty_home_is_served_too_and_ctrl_c_ends_all(serve, tmp_path: Path) -> None:
    home = Home(tmp_path / "new home")
    with serve(home) as found:
        assert found.lines[2] == (
            f"No refresh yet; make the first with: concept refresh --images DIR --home '{home.path}'"
        )
        processes = children(found.process.pid)
        assert sorted(log.stem for log in home.logs.iterdir()) == [
            "dagster-daemon",
            "dagster-definitions",
            "dagster-webserver",
            "mlflow",
        ]
        found.process.send_signal(signal.SIGINT)
        assert found.process.wait(ENDS) == 0
        wait_until_gone(processes)
    assert (tmp_path / "ui.err").read_text().replace("Ctrl-C ends them.\n", "") == ""


@needs_proc
def test_a_server_that_dies_ends_the_others_and_is_named(serve, tmp_path: Path) -> None:
    with serve(Home(tmp_path / "home")) as found:
        processes = children(found.process.pid)
        [daemon] = [pid for pid, line in processes.items() if "dagster._daemon" in line]
        subprocess.run(["kill", "-KILL", str(daemon)], check=True)
        assert found.process.wait(ENDS) == 1
        wait_until_gone(processes)
    last = (tmp_path / "ui.err").read_text().splitlines()[-1]
    assert last.startswith("error: Dagster daemon was ended by SIGKILL")
    assert str(found.home.logs / "dagster-daemon.log") in last


@needs_proc
def test_no_orphan_is_left_where_the_command_is_killed(serve, tmp_path: Path) -> None:
    with serve(Home(tmp_path / "home")) as found:
        processes = children(found.process.pid)
        assert len(processes) >= 5
        found.process.kill()
        wait_until_gone(processes)
