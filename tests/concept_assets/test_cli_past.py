"""The commands on the past, as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from concept_lib.storage import Home

CONCEPT = Path(sys.executable).with_name("concept")


def concept(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CONCEPT), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_a_home_is_listed_cleaned_rebuilt_and_taken_back(own_home: Home, run, tmp_path: Path) -> None:
    run(own_home, {"labels.n_words": "3"})
    at = ("--home", own_home.path)
    listed = json.loads(concept("refreshes", "--json", *at, cwd=tmp_path).stdout)
    assert [(row["refresh_id"], row["state"]) for row in listed] == [(2, "present"), (1, "kept")]
    table = concept("refreshes", *at, cwd=tmp_path).stdout.splitlines()
    assert table[0].split()[:3] == ["refresh", "when", "(UTC)"]
    assert table[2].split()[-1] == "kept"

    compared = json.loads(concept("compare", "1", "2", "--json", *at, cwd=tmp_path).stdout)
    assert {row["change"] for row in compared} <= {"same", "outliers"}
    assert sum(row["n_a"] for row in compared) == sum(row["n_b"] for row in compared) == 48
    life = concept("history", "0", *at, cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in life] == ["refresh", "1", "2"]
    assert life[1].split()[-1] == "born"

    told = concept("rollback", "1", *at, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "rollback: 0 embedded, 48 reused" in told.stdout
    assert (
        told.stdout.splitlines()[-1]
        == "Automatic refreshes are paused; to take them up again: concept resume"
    )
    assert "go on; they were paused since the rollback" in concept("resume", *at, cwd=tmp_path).stdout
    assert "not paused" in concept("resume", *at, cwd=tmp_path).stdout

    own_home.database.unlink()
    assert "shows refresh 3 again" in concept("rebuild", *at, cwd=tmp_path).stdout
    assert "Nothing to free" in concept("clean", "--dry-run", *at, cwd=tmp_path).stdout


@pytest.mark.parametrize(
    "command",
    [("clean",), ("rebuild",), ("resume",), ("rollback", "1"), ("forget", "x", "--yes"), ("refreshes",)],
)
def test_an_empty_home_says_what_to_do(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = concept(*command, "--home", "nowhere", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    [line] = result.stderr.strip().splitlines()
    assert line.removesuffix(" --images DIR").endswith("run: concept refresh")
    assert not (tmp_path / "nowhere").exists()


def test_forgetting_asks_first(refreshed: Home, tmp_path: Path) -> None:
    result = concept("forget", "pizza/00.jpg", "--home", refreshed.path, cwd=tmp_path)
    assert result.returncode == 1
    assert "--yes" in result.stderr
    assert not refreshed.forgotten.exists()
