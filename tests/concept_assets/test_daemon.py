"""A day in the life of a home under the real daemon and webserver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster._core.scheduler.instigation import InstigatorType, TickStatus

from concept_assets.environment import prepare
from concept_lib.images.sample import render
from concept_lib.settings_sources import keep
from concept_lib.storage import Home

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 600.0  # seconds a step may take on a busy machine
WORDS = ("beach", "pizza", "clock", "sunflower", "horse")
FROM_IMAGES = {
    "images",
    "image_embeddings",
    "reduced_vectors",
    "clusters",
    "exemplar_collages",
    "labels",
    "concept_database",
}
ALL = FROM_IMAGES | {"vocabulary", "vocabulary_embeddings"}


@dataclass
class Step:
    """What happened between two moments of peace."""

    statuses: list[str] = field(default_factory=list)
    computed: set[str] = field(default_factory=set)
    reused: set[str] = field(default_factory=set)
    decoded: int = 0
    embedded: int = 0
    n_tracked: int = 0


class Daemon:
    """A home whose `dagster dev` runs, and what it did."""

    def __init__(
        self, home: Home, instance: dg.DagsterInstance, process: subprocess.Popen[bytes], port: int, log: Path
    ) -> None:
        self.home, self.instance, self.process, self.port, self.log = home, instance, process, port, log
        self.seen: set[str] = set()
        self.n_tracked = 0

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{what}; ticks said {self.reasons(0)}"
            time.sleep(0.5)

    def reasons(self, since: float) -> list[str]:
        """Why no run was started, newest first, by each tick that began after a moment."""
        said = []
        for state in self.instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=2_000):
                assert tick.status != TickStatus.FAILURE, tick.tick_data.error
                if tick.timestamp > since:
                    said.append(tick.tick_data.skip_reason or "")
        return said

    def runs(self) -> list[dg.DagsterRun]:
        """Runs that no step has told yet, oldest first."""
        return [run for run in reversed(self.instance.get_runs()) if run.run_id not in self.seen]

    def after(self, change: Callable[[], object]) -> Step:
        """Change something, wait until the sensor finds nothing more to do, and tell what it led to."""
        change()
        since = time.time()
        self.wait(lambda: "nothing changed" in self.reasons(since), "the sensor does not come to rest")
        return self.told()

    def told(self) -> Step:
        step = Step()
        for run in self.runs():
            self.seen.add(run.run_id)
            step.statuses.append(run.status.value)
            for entry in self.instance.all_logs(run.run_id):
                event = entry.dagster_event
                if event is None or not event.is_step_materialization:
                    continue
                made = event.step_materialization_data.materialization
                facts = {name: value.value for name, value in made.metadata.items()}
                (step.reused if facts.get("reused") else step.computed).add(made.asset_key.to_user_string())
                step.decoded += facts.get("n_decoded", 0)
                step.embedded += facts.get("n_embedded", 0)
        tracked = self._tracked()
        step.n_tracked, self.n_tracked = tracked - self.n_tracked, tracked
        return step

    def _tracked(self) -> int:
        from mlflow import MlflowClient

        if not self.home.mlflow_database.is_file():
            return 0
        client = MlflowClient(f"sqlite:///{self.home.mlflow_database}")
        return len(client.search_runs([found.experiment_id for found in client.search_experiments()]))

    def ask(self, query: str) -> Any:
        """Ask the webserver."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            json.dumps({"query": query}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["data"]

    def row(self) -> dict[str, Any]:
        """The last published refresh."""
        with duckdb.connect(str(self.home.database), read_only=True) as connection:
            found = connection.execute("SELECT * FROM refreshes ORDER BY refresh_id DESC LIMIT 1")
            names = [column[0] for column in found.description]
            return dict(zip(names, found.fetchall()[0], strict=True))


@contextmanager
def daemon(home: Home, folder: Path) -> Iterator[Daemon]:
    """Start `dagster dev` in a process group of its own, and end the whole group."""
    shutil.copy(CHECKOUT / "workspace.yaml", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    prepare(home)
    environment = {**os.environ, "CONCEPT_WATCH_SECONDS": "1", "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1", "-p", str(port)]
    log = folder / "daemon.log"
    instance = dg.DagsterInstance.get()  # made first: two processes that make its tables at once fail
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield Daemon(home, instance, process, port, log)
    finally:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            if _group_lives(process):
                os.killpg(process.pid, sent)
            deadline = time.monotonic() + 20
            while _group_lives(process) and time.monotonic() < deadline:
                time.sleep(0.2)
        instance.dispose()
        assert not _group_lives(process)


def _group_lives(process: subprocess.Popen[bytes]) -> bool:
    process.poll()  # a child that ended stays in its group until it is waited for
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_a_day_under_the_daemon(gallery: Path, tmp_path: Path) -> None:
    photos, home, words = tmp_path / "photos", Home(tmp_path / "home"), tmp_path / "words.txt"
    shutil.copytree(gallery, photos)
    words.write_text("\n".join(WORDS))
    keep(
        home,
        {
            "images.folder": str(photos),
            "images.quiet_seconds": "1",
            "vocabulary.source": str(words),
            "embedding.model": "demo",
            "clustering.min_concept_size": "5",
            "reduction.n_neighbors": "8",
        },
    )

    def changed(step: Step, computed: set[str], reused: set[str], decoded: int, embedded: int) -> None:
        """One run that published, with one MLflow run."""
        assert step == Step(["SUCCESS"], computed, reused, decoded, embedded, 1)

    def add_images() -> None:
        for number in range(10):
            kind = ("beach", "pizza")[number % 2]
            render(kind, 6_000_000 + number, 128).save(photos / kind / f"new{number}.jpg", quality=92)

    with daemon(home, tmp_path) as under:
        # first fill
        changed(under.after(lambda: None), ALL, set(), 48, 48)
        assert under.row()["title"] == "+48 images, fit"

        # a file that is no picture
        assert under.after(lambda: (photos / "notes.txt").write_text("no picture")) == Step()

        # ten new images
        changed(under.after(add_images), FROM_IMAGES, set(), 10, 10)
        assert (under.row()["n_images"], under.row()["mode"]) == (58, "fit")

        # one changed
        edited = photos / "clock" / "03.jpg"
        changed(
            under.after(lambda: render("clock", 7_000_000, 128).save(edited, quality=92)),
            FROM_IMAGES,
            set(),
            1,
            1,
        )
        assert (under.row()["mode"], under.row()["title"]) == ("assigned", "+1 -1 images, assigned")

        # one renamed
        published = {"images", "image_embeddings", "concept_database"}
        step = under.after(lambda: edited.rename(photos / "renamed.jpg"))
        changed(step, published, FROM_IMAGES - published, 0, 0)
        assert under.row()["mode"] == "kept"

        # five deleted
        deleted = sorted(photos.glob("pizza/*.jpg"))[:5]
        changed(under.after(lambda: [path.unlink() for path in deleted]), FROM_IMAGES, set(), 0, 0)
        assert (under.row()["n_images"], under.row()["mode"]) == (53, "fit")

        # a label setting
        step = under.after(lambda: keep(home, {"labels.n_words": "4"}))
        changed(step, {"labels", "concept_database"}, set(), 0, 0)

        # a clustering setting: the reduction does not even start
        step = under.after(lambda: keep(home, {"clustering.min_concept_size": "6"}))
        assert step.statuses == ["SUCCESS"]
        assert step.computed | step.reused == {"clusters", "exemplar_collages", "labels", "concept_database"}
        assert {"clusters", "concept_database"} <= step.computed
        assert (under.row()["mode"], step.n_tracked) == ("fit", 1)

        # a word added
        step = under.after(lambda: words.write_text("\n".join([*WORDS, "castle"])))
        changed(step, {"vocabulary", "vocabulary_embeddings", "labels", "concept_database"}, set(), 0, 0)

        # A -> B -> A: the second A is computed from what is published, and its vector is still there
        picture, aside = photos / "beach" / "05.jpg", tmp_path / "aside.jpg"
        changed(under.after(lambda: picture.rename(aside)), FROM_IMAGES, set(), 0, 0)
        changed(under.after(lambda: aside.rename(picture)), FROM_IMAGES, set(), 1, 0)
        assert (under.row()["n_images"], under.row()["mode"]) == (53, "assigned")

        # a run that fails, since most images are gone, then mended but for two
        before = under.row()
        gone = sorted(photos.rglob("*.jpg"))[:40]
        (tmp_path / "gone").mkdir()
        for number, path in enumerate(gone):
            path.rename(tmp_path / "gone" / str(number))
        under.wait(lambda: any(run.is_finished for run in under.runs()), "no run fails")
        assert under.told() == Step(["FAILURE"])
        assert under.row() == before

        def mend() -> None:
            for number, path in list(enumerate(gone))[2:]:
                (tmp_path / "gone" / str(number)).rename(path)

        changed(under.after(mend), FROM_IMAGES, set(), 0, 0)
        again, failed = under.instance.get_run_records(limit=2)
        assert again.create_timestamp.timestamp() - (failed.end_time or 0) >= 60, "it waits after a failure"
        assert under.row()["n_images"] == 51

        # nothing
        assert under.after(lambda: [os.utime(path) for path in photos.rglob("*.jpg")]) == Step()

        # the webserver shows the same
        answer = under.ask(
            "{ runsOrError { ... on Runs { results { status } } }"
            " assetNodes { assetKey { path } staleStatus freshnessStatusInfo { freshnessStatus } } }"
        )
        statuses = [run["status"] for run in answer["runsOrError"]["results"]]
        assert (statuses.count("SUCCESS"), statuses.count("FAILURE"), len(statuses)) == (11, 1, 12)
        nodes = {node["assetKey"]["path"][-1]: node for node in answer["assetNodes"]}
        assert {nodes[name]["staleStatus"] for name in ALL} == {"FRESH"}
        assert nodes["concept_database"]["freshnessStatusInfo"] == {"freshnessStatus": "HEALTHY"}
