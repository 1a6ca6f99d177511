"""A small gallery, and a home refreshed from it through Dagster in this process."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from concept_assets.refresh import refresh
from concept_lib.images.sample import render
from concept_lib.storage import Home

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


Run = Callable[..., tuple[dict[str, Any], Recorder]]


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
        if name.startswith(("CONCEPT_", "DAGSTER_")):
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


@pytest.fixture
def own_home(refreshed: Home, tmp_path: Path) -> Home:
    """A copy of the refreshed home and its folder, to change at will."""
    shutil.copytree(refreshed.path.parent, tmp_path / "own")
    home = Home(tmp_path / "own" / "home")
    text = home.settings_file.read_text().replace(str(refreshed.path.parent), str(tmp_path / "own"))
    home.settings_file.write_text(text)
    return home
