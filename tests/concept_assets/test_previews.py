"""Pictures leave Dagster's event log, and everything else in it stays."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from concept_assets import previews
from concept_assets.environment import prepare
from concept_assets.previews import BLANK, readable, remove_previews
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

PICTURED = {"clusters", "exemplar_collages", "labels", "reduced_vectors"}


@pytest.fixture
def log(own_home: Home) -> Home:
    """A home after one run, and Dagster pointed at it."""
    prepare(own_home)
    return own_home


def events() -> list[dict[str, Any]]:
    """Every materialization: its run, its asset and its metadata."""
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION)
        )
        latest = [instance.get_latest_materialization_event(dg.AssetKey(name)) for name in PICTURED]
    return [
        {
            "run": entry.run_id,
            "asset": entry.asset_materialization.asset_key.to_user_string(),
            **entry.asset_materialization.metadata,
        }
        for entry in [*(record.event_log_entry for record in records), *latest]
        if entry and entry.asset_materialization
    ]


def pieces(home: Home) -> set[str]:
    """Files of Dagster that hold a picture."""
    found = re.compile(rb"data:image/[a-z]+;base64,")
    return {
        path.name for path in home.dagster.rglob("*") if path.is_file() and found.search(path.read_bytes())
    }


def test_pictures_go_and_the_rest_stays(log: Home) -> None:
    before = events()
    assert {one["asset"] for one in before if "preview" in one} == PICTURED
    assert len(pieces(log)) >= 2, "the file of the run, and the index"
    remove_previews(log, keep=None)
    assert pieces(log) == set()
    after = events()
    assert [one["preview"].value for one in after if "preview" in one] == [BLANK] * 2 * len(PICTURED)
    without = [{name: value for name, value in one.items() if name != "preview"} for one in before]
    assert [{name: value for name, value in one.items() if name != "preview"} for one in after] == without


def test_the_run_that_may_keep_its_pictures_does(log: Home) -> None:
    before = events()
    [run] = {one["run"] for one in before if "preview" in one}
    remove_previews(log, keep=run)
    assert events() == before
    remove_previews(log, keep="another")
    assert pieces(log) == set()


def test_a_log_in_use_is_told(log: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "BUSY_SECONDS", 0.1)
    index = log.dagster / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event_logs").fetchone()
        with pytest.raises(ConceptError, match=r"index\.db is in use; end Dagster's UI and daemon"):
            remove_previews(log, keep=None)
    remove_previews(log, keep=None)
    assert pieces(log) == set()


def test_a_picture_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    assert readable(tmp_path / "broken.jpg") is None
    assert readable(tmp_path / "gone.jpg") is None
