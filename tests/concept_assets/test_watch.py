"""What the sensor decides, tick by tick, without any daemon."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from concept_assets.automation import hourly_refresh, nightly_verify, watch
from concept_assets.definitions import ASSETS
from concept_assets.staleness import selection, stale_assets
from concept_assets.trials import one_at_a_time
from concept_assets.versioning import dependencies, stage, staged
from concept_assets.watch import (
    EXPERIMENT_JOB,
    SILENT_SECONDS,
    Decision,
    Memory,
    decide,
    in_progress,
    retry_wait,
)
from concept_lib.database.state import published_state
from concept_lib.images.sample import render
from concept_lib.lock import locked
from concept_lib.settings_sources import keep
from concept_lib.storage import Home

FROM_IMAGES = [
    "images",
    "image_embeddings",
    "reduced_vectors",
    "clusters",
    "labels",
    "exemplar_collages",
    "concept_database",
]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def settle(instance: dg.DagsterInstance, home: Home, memory: Memory, now: float) -> Decision:
    """Look twice, so long apart that the home is quiet."""
    first = decide(instance, home, memory, now)
    return decide(instance, home, first.memory, now + 60)


def test_an_unchanged_home_is_looked_at_once_and_then_left_alone(
    own_home: Home, instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = settle(instance, own_home, Memory(), 1000)
    assert (found.reason, list(found.assets)) == ("nothing changed", [])
    monkeypatch.setattr("concept_assets.watch.find_inputs", lambda *_: pytest.fail("hashed again"))
    again = decide(instance, own_home, found.memory, 2000)
    assert (again.reason, again.memory) == ("nothing changed", found.memory)


def test_a_touched_file_and_a_note_are_looked_at_and_start_nothing(own_home: Home, instance) -> None:
    memory = settle(instance, own_home, Memory(), 1000).memory
    os.utime(photos(own_home) / "pizza" / "00.jpg")
    (photos(own_home) / "notes.txt").write_text("no picture")
    first = decide(instance, own_home, memory, 2000)
    assert "a refresh starts after 10 quiet ones" in (first.reason or "")
    assert decide(instance, own_home, first.memory, 2010).reason == "nothing changed"


def test_a_folder_that_is_being_filled_waits_until_it_is_quiet(own_home: Home, instance) -> None:
    memory = settle(instance, own_home, Memory(), 1000).memory
    for number in range(5):
        render("beach", 6_000_000 + number, 64).save(photos(own_home) / f"{number}.png")
        found = decide(instance, own_home, memory, 2000 + 9 * number)
        assert not found.assets
        memory = found.memory
    assert not decide(instance, own_home, memory, 2045.9).assets
    found = decide(instance, own_home, memory, 2046.1)
    assert found.assets == FROM_IMAGES
    assert [event.asset_key.to_user_string() for event in found.events].count("image_folder") == 1


def test_quiet_seconds_of_none_start_at_once(own_home: Home, instance) -> None:
    keep(own_home, {"images.quiet_seconds": "0", "labels.n_words": "3"})
    found = decide(instance, own_home, Memory(), 1000)
    assert found.assets == ["labels", "concept_database"]


def test_it_agrees_with_the_command_line(own_home: Home, instance, run) -> None:
    keep(own_home, {"labels.n_words": "3"})
    assert settle(instance, own_home, Memory(), 1000).assets == ["labels", "concept_database"]
    _, done = run(own_home)
    assert set(done.computed) == {"labels", "concept_database"}
    assert settle(instance, own_home, Memory(), 1000).reason == "nothing changed"


def test_dagster_is_told_each_version_that_is_new_to_it_once(own_home: Home, instance) -> None:
    found = settle(instance, own_home, Memory(), 1000)
    names = [event.asset_key.to_user_string() for event in found.events]
    assert {"image_folder", "vocabulary_source", "settings/labels"} <= set(names)
    for event in found.events:
        instance.report_runless_asset_event(event)
    assert not settle(instance, own_home, Memory(), 2000).events


def test_a_home_without_a_database_gets_one(own_home: Home, instance) -> None:
    memory = settle(instance, own_home, Memory(), 1000).memory
    own_home.database.unlink()
    assert decide(instance, own_home, memory, 2000).assets == ["concept_database"]


def test_a_new_home_is_filled_whole(gallery: Path, tmp_path: Path, instance) -> None:
    home = Home(tmp_path / "new")
    assert "no folder of images yet" in (decide(instance, home, Memory(), 1000).reason or "")
    keep(home, {"images.folder": str(gallery), "embedding.model": "demo"})
    found = settle(instance, home, Memory(), 1000)
    assert found.assets == [asset.key.to_user_string() for asset in ASSETS], found.reason


@pytest.mark.parametrize(
    ("text", "said"),
    [("[images]\nfolder = '/nowhere/at/all'\n", "no such folder"), ("[labels]\nfoo = 1\n", r"labels.foo")],
)
def test_what_cannot_be_used_is_said_in_one_line(own_home: Home, instance, text: str, said: str) -> None:
    own_home.settings_file.write_text(text)
    found = decide(instance, own_home, Memory(), 1000)
    assert said in (found.reason or "")
    assert "\n" not in (found.reason or "")
    assert not found.assets


def test_a_paused_home_is_left_alone_by_sensor_and_schedules(
    own_home: Home, instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(own_home, {"images.quiet_seconds": "0", "labels.n_words": "3"})
    monkeypatch.setenv("CONCEPT_HOME", str(own_home.path))
    own_home.paused.write_text("rolled back to refresh 1\n")
    reason = "paused: rolled back to refresh 1; go on with: concept resume"
    assert decide(instance, own_home, Memory(), 1000).reason == reason
    for schedule in (hourly_refresh, nightly_verify):
        with dg.build_schedule_context(instance) as context:
            assert schedule.evaluate_tick(context).skip_message == reason
    own_home.paused.unlink()
    assert decide(instance, own_home, Memory(), 1000).assets
    with dg.build_schedule_context(instance) as context:
        [request] = nightly_verify.evaluate_tick(context).run_requests or ()
    assert request.run_config == {"resources": {"storage": {"config": {"verify": True}}}}


def test_a_held_home_is_left_alone_and_its_holder_named(own_home: Home, instance) -> None:
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(own_home, "concept refresh"):
            taken.set()
            done.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert taken.wait(60)
        reason = decide(instance, own_home, Memory(), 1000).reason or ""
    finally:
        done.set()
        other.join()
    assert f"is held by concept refresh (process {os.getpid()})" in reason


@dg.job
def nothing_much() -> None:
    """Stands for any run of the home."""


def record(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, job: dg.JobDefinition = nothing_much
) -> dg.DagsterRun:
    if status == dg.DagsterRunStatus.QUEUED:  # by an event it would need a code location
        origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "there").get_job_origin("job")
        return instance.create_run_for_job(job, status=status, remote_job_origin=origin)
    run = instance.create_run_for_job(job)
    events = {
        dg.DagsterRunStatus.STARTED: [dg.DagsterEventType.RUN_START],
        dg.DagsterRunStatus.SUCCESS: [dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS],
        dg.DagsterRunStatus.FAILURE: [dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_FAILURE],
        dg.DagsterRunStatus.CANCELED: [dg.DagsterEventType.RUN_CANCELED],
    }[status]
    for kind in events:
        instance.report_dagster_event(dg.DagsterEvent(kind.value, run.job_name), run.run_id)
    return run


def ended(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float:
    [found] = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    return found.end_time or found.update_timestamp.timestamp()


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.QUEUED])
def test_a_run_under_way_is_waited_for(own_home: Home, instance, status: dg.DagsterRunStatus) -> None:
    run = record(instance, status)
    reason = decide(instance, own_home, Memory(), run_time(instance, run)).reason
    assert reason == f"run {run.run_id} is {status.value.lower()}"


def run_time(instance: dg.DagsterInstance, run: dg.DagsterRun) -> float:
    [found] = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
    return found.create_timestamp.timestamp()


def test_a_run_whose_process_is_gone_is_recorded_as_failed(instance, tmp_path: Path) -> None:
    home = Home(tmp_path)
    run = record(instance, dg.DagsterRunStatus.STARTED)
    now = run_time(instance, run)
    assert in_progress(instance, home, now + SILENT_SECONDS - 10) is not None
    assert in_progress(instance, home, now + SILENT_SECONDS + 10) is None
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status == dg.DagsterRunStatus.FAILURE
    queued = record(instance, dg.DagsterRunStatus.QUEUED)
    assert in_progress(instance, home, now + 10 * SILENT_SECONDS) == f"run {queued.run_id} is queued"


@dg.job(name=EXPERIMENT_JOB)
def some_experiment() -> None:
    """Stands for an experiment."""


def test_an_experiment_holds_nothing_up(instance, tmp_path: Path) -> None:
    home = Home(tmp_path)
    run = record(instance, dg.DagsterRunStatus.STARTED, some_experiment)
    now = run_time(instance, run)
    assert in_progress(instance, home, now) is None
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with one_at_a_time(home, "an experiment", print):
            taken.set()
            done.wait(60)

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert taken.wait(60)
        assert in_progress(instance, home, now + 2 * SILENT_SECONDS) is None
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.STARTED, "it is at work"
    finally:
        done.set()
        other.join()
    assert in_progress(instance, home, now + 2 * SILENT_SECONDS) is None
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE, "its process is gone"
    assert retry_wait(instance, now) is None, "no refresh has failed"


def test_after_failures_it_waits_longer_each_time(instance) -> None:
    assert retry_wait(instance, 0) is None
    for n_failed, wait in enumerate((60, 300, 1800, 1800), start=1):
        status = dg.DagsterRunStatus.CANCELED if n_failed == 2 else dg.DagsterRunStatus.FAILURE
        last = ended(instance, record(instance, status))
        assert "the next try is in" in (retry_wait(instance, last + wait - 1) or ""), n_failed
        assert retry_wait(instance, last + wait + 1) is None, n_failed
    last = ended(instance, record(instance, dg.DagsterRunStatus.SUCCESS))
    assert retry_wait(instance, last) is None
    last = ended(instance, record(instance, dg.DagsterRunStatus.FAILURE))
    assert retry_wait(instance, last + 61) is None


@pytest.mark.parametrize("cursor", [None, "", "{", "[]", '{"other": 1}'])
def test_a_foreign_cursor_remembers_nothing(cursor: str | None) -> None:
    assert Memory.read(cursor) == Memory()


def test_a_cursor_is_read_back() -> None:
    memory = Memory("abc", 12.5, "7")
    assert Memory.read(memory.write()) == memory


def test_the_sensor_asks_for_one_run_without_a_key(
    own_home: Home, instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCEPT_HOME", str(own_home.path))
    keep(own_home, {"images.quiet_seconds": "0", "labels.n_words": "3"})
    with dg.build_sensor_context(instance) as context:
        found = watch.evaluate_tick(context)
    [request] = found.run_requests or ()
    assert request.run_key is None
    assert [key.to_user_string() for key in request.asset_selection or ()] == ["labels", "concept_database"]
    assert "settings/labels" in {event.asset_key.to_user_string() for event in found.asset_events}
    assert json.loads(found.cursor or "")["settled"] == ""
    assert watch.default_status == dg.DefaultSensorStatus.RUNNING


# What is stale


def test_the_assets_are_listed_in_the_order_of_the_graph() -> None:
    names = [asset.key.to_user_string() for asset in ASSETS]
    for asset in ASSETS:
        own = names.index(asset.key.to_user_string())
        assert all(names.index(name) < own for name in dependencies(asset) if name in names)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            "vocabulary_source",
            ["vocabulary", "vocabulary_embeddings", "labels", "concept_database"],
        ),
        ("settings/collages", ["exemplar_collages", "concept_database"]),
        ("settings/tracking", ["concept_database"]),
        ("image_folder", FROM_IMAGES),
    ],
)
def test_stale_is_exactly_what_lies_downstream(refreshed: Home, changed: str, expected: list[str]) -> None:
    published = published_state(refreshed)
    versions = dict(published.inputs)
    assert stale_assets(refreshed, published.data_versions, versions) == []
    versions[changed] = "another"
    assert stale_assets(refreshed, published.data_versions, versions) == expected


def test_what_a_failed_run_left_and_what_is_damaged_is_run_again_beside_what_is_stale(own_home: Home) -> None:
    entries = published_state(own_home).data_versions
    made = staged(own_home, "clusters")
    assert made is not None
    stage(own_home, "clusters", type(made)("f" * 32, "f" * 32, made.inputs, "run", 0.0, {}))
    shutil.rmtree(own_home.asset_folder("vocabulary"))
    assert selection(own_home, entries, []) == [], "nothing is stale: nothing is to be done"
    assert selection(own_home, entries, ["labels", "concept_database"]) == [
        "vocabulary",
        "clusters",
        "labels",
        "concept_database",
    ]
