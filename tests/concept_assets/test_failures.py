"""What goes wrong is said in one line that comes first, in Dagster as on the command line."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path

import dagster as dg
import pytest

from concept_assets import progress
from concept_assets.failures import RefreshFailure, in_one_line
from concept_assets.refresh import run_job
from concept_assets.watch import Memory, decide
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

Usage = namedtuple("Usage", "total used free")


def last_failure() -> tuple[str, str | None]:
    """Message and step of the last failure in the home of the last refresh."""
    with dg.DagsterInstance.get() as instance:
        [record] = instance.get_run_records(limit=1)
        entries = instance.all_logs(record.dagster_run.run_id)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    for event in events:
        if event.is_step_failure:
            return event.step_failure_data.error.message, event.step_key
    [event] = [event for event in events if event.is_job_failure]
    return event.job_failure_data.error.message, None


def test_a_run_without_images_says_what_to_do_first(tmp_path: Path, run) -> None:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    with pytest.raises(ConceptError) as refused:
        run(home)
    assert str(refused.value).startswith(
        "no folder of images yet: give one with concept refresh --images DIR"
    )
    with pytest.raises(ConceptError, match="no folder of images yet"):
        run_job(home, {}, {})
    message, step = last_failure()
    assert message.startswith("concept_assets.failures.RefreshFailure: no folder of images yet")
    assert step is None
    with dg.DagsterInstance.ephemeral() as instance:
        assert decide(instance, home, Memory(), 0.0).reason == str(refused.value)


def test_a_disk_that_is_nearly_full_starts_nothing(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own_home.database.read_bytes()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - 10**6, 10**6))
    with pytest.raises(ConceptError, match=r"is nearly full: 1 MB are free .* try: concept clean"):
        run(own_home, {"labels.n_words": "4"})
    assert "RefreshFailure: the disk of" in last_failure()[0]
    with dg.DagsterInstance.ephemeral() as instance:
        assert "nearly full" in (decide(instance, own_home, Memory(), 0.0).reason or "")
    assert own_home.database.read_bytes() == before


def test_a_disk_that_fills_up_midway_is_told_by_the_step(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = own_home.database.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Home, "save_asset", full)
    with pytest.raises(ConceptError, match=r"no space is left on the disk of .* try: concept clean"):
        run(own_home, {"labels.n_words": "4"})
    message, step = last_failure()
    assert message.startswith("concept_assets.failures.RefreshFailure: no space is left")
    assert step == "labels"
    assert own_home.database.read_bytes() == before


def test_another_error_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), in_one_line(Home(tmp_path)):
        raise PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(RefreshFailure) as told, in_one_line(Home(tmp_path)):
        raise ConceptError("the line")
    assert told.value.description == "the line"
    assert told.value.allow_retries is False


def test_progress_does_not_flood_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    said: list[str] = []

    class Context:
        asset_key = dg.AssetKey("image_embeddings")

        class log:
            info = staticmethod(said.append)

    report = progress.reporter(Context(), "images embedded")
    for done in range(25_000):
        now[0] += 0.0125  # 312.5 s in all
        report(done + 1, 25_000)
    assert 15 <= len(said) <= 312.5 / progress.SECONDS_BETWEEN_LINES
    assert said[0].endswith(" of 25,000 images embedded")


def test_an_empty_folder_is_published_and_told(tmp_path: Path, run) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path / "photos"
    folder.mkdir()
    summary, done = run(home, {"images.folder": str(folder), "embedding.model": "demo"})
    assert (summary["n_images"], summary["n_concepts"]) == (0, 0)
    assert done.said == [f"{folder} holds no usable picture yet; put some there, and refresh again"]
