"""What a refresh says and does when something it needs is out of reach."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from concept_lib.errors import ConceptError
from concept_lib.storage import Home


def test_a_tracking_store_that_is_locked_is_a_warning_and_the_refresh_is_published(
    own_home: Home, run
) -> None:
    with closing(sqlite3.connect(own_home.mlflow_database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        summary, recorder = run(own_home, {"labels.n_words": "3"})
    assert (summary["refresh_id"], summary["mode"], summary["mlflow_run_id"]) == (2, "kept", None)
    [warning] = recorder.said
    assert "not tracked" in warning
    assert "is locked by another program" in warning


def test_a_hub_out_of_reach_names_the_remedies(own_home: Home, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    before = own_home.database.read_bytes()
    with pytest.raises(ConceptError, match=r"hub cannot be reached: connect once .* --model demo$"):
        run(own_home, {"embedding.model": "clip-ViT-B-32"})
    assert own_home.database.read_bytes() == before
