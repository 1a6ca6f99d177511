"""Two processes that are given the same images in another order publish the same tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from concept_lib.images.sample import render
from concept_lib.storage import Home

OF_THE_RUN = "refresh_id, previous_refresh_id, restored_refresh_id, fit_refresh_id, started_at, published_at"
OF_THE_RUN += ", dagster_run_id, mlflow_run_id, metrics, settings"


def tables(home: Home) -> dict[str, list[str]]:
    """Every table, but what tells of the process in `refreshes`: ids, times, and settings, which name the folder."""
    with duckdb.connect(str(home.database), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        queries = {name: f'SELECT * FROM "{name}"' for name in names}
        queries["refreshes"] = f"SELECT * EXCLUDE ({OF_THE_RUN}) FROM refreshes"
        queries["metrics"] = (
            "SELECT refresh_id, list_filter(map_entries(metrics), lambda e: NOT starts_with(e.key, 'seconds_')) "
            "FROM refreshes"
        )
        return {
            name: sorted(map(str, connection.execute(query).fetchall())) for name, query in queries.items()
        }


def refresh(home: Home, images: Path, *settings: str) -> None:
    command = [
        sys.executable,
        "-m",
        "concept_assets.cli",
        "refresh",
        "--home",
        str(home.path),
        "--model",
        "demo",
    ]
    command += ["--images", str(images), *(f"--set={setting}" for setting in settings)]
    done = subprocess.run(
        command, cwd=home.path.parent, env=os.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_order_and_process_do_not_matter(gallery: Path, tmp_path: Path) -> None:
    first = sorted(path for path in gallery.rglob("*.jpg") if path.stem < "08")
    added = [render(kind, 5_200_000, 128) for kind in ("beach", "clock")]
    found = []
    for name, turn in (("ours", 1), ("theirs", -1)):
        home, images = Home(tmp_path / name / "home"), tmp_path / name / "photos"
        for path in first[::turn]:
            place = images / path.relative_to(gallery)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        refresh(home, images, "clustering.min_concept_size=5", "reduction.n_neighbors=6")
        for number in (0, 1)[::turn]:
            added[number].save(images / f"{number}.png")
        refresh(home, images)
        found.append(tables(home))
    ours, theirs = found
    assert len(ours["concept_images"]) == len(first) + 2
    assert any("assigned" in row for row in ours["concept_images"])
    assert ours.keys() == theirs.keys()
    for name, rows in ours.items():
        assert rows == theirs[name], name
