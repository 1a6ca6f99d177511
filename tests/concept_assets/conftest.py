"""A small gallery, and a home refreshed from it through Dagster in this process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concept_assets.curate import Change, curate
from concept_assets.refresh import refresh
from concept_assets.undo import rollback
from concept_lib.images.sample import render
from concept_lib.modeling import fit
from concept_lib.modeling.cluster import Clustering
from concept_lib.storage import Home

CHECKOUT = Path(__file__).resolve().parents[2]
KINDS = ("beach", "pizza", "clock", "sunflower")
EACH = 12
FLAGS = {"embedding.model": "demo", "clustering.min_concept_size": "5", "reduction.n_neighbors": "8"}


class Recorder:
    """Remembers what a run did."""

    def __init__(self) -> None:
        self.computed: list[str] = []
        self.reused: list[str] = []
        self.said: list[str] = []

    def started(self, asset: str) -> None:
        pass

    def advanced(self, asset: str, done: int, total: int) -> None:
        assert 0 <= done <= total, (asset, done, total)

    def ended(self, asset: str, *, reused: bool) -> None:
        (self.reused if reused else self.computed).append(asset)

    def warned(self, line: str) -> None:
        self.said.append(line)


@pytest.fixture
def listener() -> Recorder:
    """Somebody who follows a run."""
    return Recorder()


Run = Callable[..., tuple[dict[str, Any], Recorder]]
Copy = Callable[..., Home]


@pytest.fixture(scope="session", autouse=True)
def _checkout_is_left_alone() -> Iterator[None]:
    """The `.env` of the checkout belongs to its developer."""
    env = Path(__file__).resolve().parents[2] / ".env"
    before = env.read_bytes() if env.is_file() else None
    yield
    assert (env.read_bytes() if env.is_file() else None) == before


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the home, the settings or the Dagster of its developer."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("CONCEPT_", "DAGSTER_")) and name != "CONCEPT_CACHE":
            monkeypatch.delenv(name)
    for name in ("DAGSTER_HOME", "CONCEPT_DAGSTER_STORAGE", "CONCEPT_HOME"):
        monkeypatch.setenv(name, "")  # so that what a refresh sets is taken back afterwards
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def run() -> Run:
    """Refresh a home; gives the summary and what was done."""

    def refresh_home(
        home: Home, flags: Mapping[str, str] | None = None, once: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], Recorder]:
        recorder = Recorder()
        return refresh(home, flags or {}, recorder, recorder.said.append, once), recorder

    return refresh_home


@pytest.fixture(scope="session")
def decide() -> Run:
    """Carry out what a user decided about concepts; gives the summary and what was done."""

    def curate_home(home: Home, change: Change) -> tuple[dict[str, Any], Recorder]:
        recorder = Recorder()
        _, summary, _, _ = curate(home, change, recorder, recorder.said.append)
        return summary, recorder

    return curate_home


@pytest.fixture(scope="session")
def back() -> Run:
    """Roll a home back; gives the summary and what was done."""

    def roll_back(home: Home, refresh_id: int) -> tuple[dict[str, Any], Recorder]:
        recorder = Recorder()
        return rollback(home, refresh_id, recorder, recorder.said.append), recorder

    return roll_back


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four kinds of scene, twelve pictures each."""
    folder = tmp_path_factory.mktemp("gallery")
    for kind in KINDS:
        (folder / kind).mkdir()
        for number in range(EACH):
            render(kind, 5_000_000 + number, 128).save(folder / kind / f"{number:02d}.jpg", quality=92)
    return folder


@pytest.fixture(scope="session")
def refreshed(gallery: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after its first refresh. Read it; a test that changes it takes `own_home`."""
    folder = tmp_path_factory.mktemp("refreshed")
    images = folder / "photos"
    shutil.copytree(gallery, images)
    home = Home(folder / "home")
    saved = dict(os.environ)
    with contextlib.chdir(folder):  # a refresh in the checkout would point its .env at this home
        run(home, {**FLAGS, "images.folder": str(images)})
    os.environ.clear()
    os.environ.update(saved)
    return home


@pytest.fixture(scope="session")
def copy_home(refreshed: Home) -> Copy:
    """Copies a home and its folder, by default the refreshed one, to change at will."""

    def copied(folder: Path, home: Home = refreshed) -> Home:
        shutil.copytree(home.path.parent, folder)
        copy = Home(folder / "home")
        text = copy.settings_file.read_text().replace(str(home.path.parent), str(folder))
        copy.settings_file.write_text(text)
        _move_artifacts(copy, home.mlflow_artifacts.as_uri())
        return copy

    return copied


@pytest.fixture
def own_home(copy_home: Copy, tmp_path: Path) -> Home:
    """A copy of the refreshed home for one test."""
    return copy_home(tmp_path / "own")


def _move_artifacts(home: Home, old: str) -> None:
    """Let MLflow, which keeps absolute places, find those of a copied home in the copy."""
    new = home.mlflow_artifacts.as_uri()
    with contextlib.closing(sqlite3.connect(home.mlflow_database)) as connection, connection:
        for table, column in (("experiments", "artifact_location"), ("runs", "artifact_uri")):
            connection.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (old, new))


@pytest.fixture(scope="session")
def twice(copy_home: Copy, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home after two refreshes, with a copied file, a broken one, and five images that left. Read it."""
    folder = tmp_path_factory.mktemp("twice")
    home = copy_home(folder / "own")
    photos = folder / "own" / "photos"
    shutil.copy(photos / "pizza" / "03.jpg", photos / "pizza" / "pizza_003.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    for number in range(5):
        (photos / "sunflower" / f"{number:02d}.jpg").unlink()
    saved = dict(os.environ)
    with contextlib.chdir(folder):
        run(home)
    os.environ.clear()
    os.environ.update(saved)
    return home


@pytest.fixture
def regroup(own_home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, int]], None]:
    """Refits find the groups that a test says: the first whose name begins an image's path; -1 is noise."""

    photos = own_home.path.parent / "photos"

    def by_path(groups: Mapping[str, int]) -> None:
        found = {}
        for path in sorted(photos.rglob("*.jpg")):
            name = path.relative_to(photos).as_posix()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[digest] = next(group for prefix, group in groups.items() if name.startswith(prefix))
        labels = np.array([found[digest] for digest in sorted(found)], np.int32)
        same = np.ones(len(labels), np.float32)
        monkeypatch.setattr(fit, "cluster", lambda *_args, **_kwargs: Clustering(labels, same, 0.5))

    return by_path
