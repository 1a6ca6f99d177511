"""Alarms: a loss that nobody can have meant stops a refresh; what may be meant is a warning."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from concept_lib.errors import ConceptError
from concept_lib.storage import Home

EMPTY_JPEG = b"\xff\xd8\xff\xe0 not much of a picture"


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def checks(check: str) -> list[tuple[bool, str, dict[str, Any]]]:
    """Every evaluation of a check in the home of the last refresh, newest first."""
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        )
    found = [entry.event_log_entry.dagster_event.asset_check_evaluation_data for entry in records]
    return [
        (one.passed, one.severity.value, {name: value.value for name, value in one.metadata.items()})
        for one in found
        if one.check_name == check
    ]


def stored(home: Home) -> dict[str, bytes]:
    """What says which state is published and staged."""
    files = [home.database, *home.histories.rglob("*.parquet"), *home.path.glob("assets/*/*/meta.json")]
    return {str(path): path.read_bytes() for path in files}


@contextmanager
def unmounted(folder: Path) -> Iterator[None]:
    """The folder as it is while its disk is not there."""
    aside = folder.with_name("aside")
    folder.rename(aside)
    folder.mkdir()
    yield
    folder.rmdir()
    aside.rename(folder)


def test_an_unmounted_disk_is_no_deletion(own_home: Home, run) -> None:
    before = stored(own_home)
    with unmounted(photos(own_home)):
        with pytest.raises(ConceptError) as refused:
            run(own_home)
        assert str(refused.value) == (
            f"{photos(own_home)}: 48 of 48 images are gone, so nothing is published; mount or mend it, or let it "
            "go with: concept refresh --accept-loss"
        )
        assert checks("nothing_is_lost")[0] == (
            False,
            "ERROR",
            {"lost": "48 of 48 images are gone", "accepted": False},
        )
    assert stored(own_home) == before
    summary, done = run(own_home)
    assert summary["mode"] == "unchanged"
    assert done.computed == done.reused == []


def test_a_loss_that_is_meant_is_accepted_for_once(own_home: Home, run) -> None:
    for path in sorted(photos(own_home).rglob("*.jpg"))[:30]:
        path.unlink()
    with pytest.raises(ConceptError, match="30 of 48 images are gone"):
        run(own_home)
    summary, _ = run(own_home, once={"accept_loss": True})
    assert summary["n_images"] == 18
    assert checks("nothing_is_lost")[0] == (
        True,
        "ERROR",
        {"lost": "30 of 48 images are gone", "accepted": True},
    )
    assert run(own_home)[0]["mode"] == "unchanged"
    for path in sorted(photos(own_home).rglob("*.jpg"))[:10]:
        path.unlink()
    with pytest.raises(ConceptError, match="10 of 18 images are gone"):
        run(own_home)


def test_half_of_the_images_may_go(own_home: Home, run) -> None:
    for path in sorted(photos(own_home).rglob("*.jpg"))[:24]:
        path.unlink()
    assert run(own_home)[0]["n_images"] == 24


def test_another_folder_is_a_wish_and_no_loss(own_home: Home, run, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    shutil.copy(photos(own_home) / "pizza" / "00.jpg", tmp_path / "few")
    assert run(own_home, {"images.folder": str(tmp_path / "few")})[0]["n_images"] == 1


@contextmanager
def out_of_reach(folder: Path) -> Iterator[None]:
    """Folders that nest beyond the longest path: even root cannot list the last one."""
    name, opened = "n" * 250, [os.open(folder, os.O_RDONLY)]
    for _ in range(20):
        os.mkdir(name, dir_fd=opened[-1])
        opened.append(os.open(name, os.O_RDONLY, dir_fd=opened[-1]))
    yield
    for parent in reversed(opened[:-1]):
        os.rmdir(name, dir_fd=parent)
    for descriptor in opened:
        os.close(descriptor)


def test_a_folder_that_cannot_be_read_is_an_alarm_until_it_is_accepted(own_home: Home, run) -> None:
    with out_of_reach(photos(own_home)):
        with pytest.raises(ConceptError, match="folder cannot be read: File name too long, so nothing"):
            run(own_home)
        assert rows(own_home, "SELECT count(*) FROM refreshes") == [(1,)]
        assert run(own_home, once={"accept_loss": True})[0]["n_failed"] == 1
        (photos(own_home) / "broken.jpg").write_bytes(EMPTY_JPEG)
        assert run(own_home)[0]["n_failed"] == 2, "what was accepted is no alarm again"
    assert run(own_home)[0]["n_failed"] == 1


def test_many_broken_files_are_a_warning(own_home: Home, run) -> None:
    for number in range(3):
        (photos(own_home) / f"broken{number}.jpg").write_bytes(EMPTY_JPEG + bytes([number]))
    summary, done = run(own_home)
    assert summary["n_failed"] == 3
    assert done.said == ["share of failed files: 0.06, above 0.05"]
    [(passed, severity, found)] = checks("few_files_failed")[:1]
    assert (passed, severity) == (False, "WARN")
    assert found["value"] == pytest.approx(3 / 51)
    assert checks("few_files_failed")[-1][0], "nothing failed in the first refresh"


def test_many_outliers_are_a_warning(own_home: Home, run) -> None:
    summary, done = run(own_home, {"clustering.min_concept_size": "40"})
    assert summary["n_outliers"] == 48
    assert done.said == ["share of outliers: 1.00, above 0.5"]
    assert checks("few_outliers")[0] == (False, "WARN", {"value": 1.0, "limit": 0.5})
    assert checks("few_outliers")[-1][0]


@pytest.mark.parametrize(("limit", "passes"), [(1e-6, False), (2.0, True)])
def test_drift_beyond_the_limit_is_a_warning(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch, limit: float, passes: bool
) -> None:
    monkeypatch.setattr("concept_assets.checks.published.MAX_DRIFT", limit)
    _, done = run(own_home, {"exemplars.n_exemplars": "1"})
    [(drift,)] = rows(own_home, "SELECT metrics['mean_drift'] FROM refreshes WHERE refresh_id = 2")
    assert 1e-6 < drift < 2
    assert checks("little_drift")[0] == (passes, "WARN", {"value": drift, "limit": limit})
    assert [line.partition(":")[0] for line in done.said] == (
        [] if passes else ["mean drift of the concepts"]
    )


# Verification


def test_bytes_that_changed_behind_the_times_are_found_by_verifying_alone(own_home: Home, run) -> None:
    assert run(own_home)[0]["mode"] == "unchanged"  # a copied home sees new inodes once
    path = photos(own_home) / "pizza" / "00.jpg"
    before, data = path.stat(), bytearray(path.read_bytes())
    position = data.rindex(b"\xff\xd9") - 5
    data[position] ^= 1
    with path.open("r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (
        before.st_size,
        before.st_mtime_ns,
        before.st_ino,
    )

    assert run(own_home)[0]["mode"] == "unchanged"
    summary, done = run(own_home, once={"verify": True})
    assert (summary["refresh_id"], summary["n_embedded"]) == (2, 1)
    assert "images" in done.computed
    assert run(own_home, once={"verify": True})[0]["mode"] == "unchanged"
