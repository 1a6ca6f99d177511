"""More images than a fit learns from: a sample is fitted, the others are placed, and nothing else is different."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.metrics import adjusted_rand_score

from concept_assets.trials import experiment
from concept_lib.database.integrity import dangling_references
from concept_lib.images.sample import render
from concept_lib.storage import Home

SAMPLE = 32
FLAGS = {
    "embedding.model": "demo",
    "clustering.min_concept_size": "5",
    "reduction.n_neighbors": "8",
    "reduction.fit_sample": str(SAMPLE),
}
MEMBERS = "SELECT image_id, concept_id, map_x, map_y, placed FROM concept_images ORDER BY image_id"


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def placed(home: Home) -> dict[str, int]:
    return dict(rows(home, "SELECT placed, count(*) FROM concept_images GROUP BY placed"))


def reason(home: Home) -> str | None:
    return rows(home, "SELECT reason FROM refreshes ORDER BY refresh_id DESC LIMIT 1")[0][0]


def add(home: Home, kind: str, n: int) -> list[Path]:
    paths = [
        home.path.parent / "photos" / kind / f"{number}.jpg" for number in range(5_100_000, 5_100_000 + n)
    ]
    for path in paths:
        render(kind, int(path.stem), 128).save(path, quality=92)
    return paths


@pytest.fixture(scope="module")
def sampled(gallery: Path, run, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of 48 images whose first fit learnt from 32. Read it."""
    folder = tmp_path_factory.mktemp("sampled")
    shutil.copytree(gallery, folder / "photos")
    home = Home(folder / "home")
    saved = dict(os.environ)
    with contextlib.chdir(folder):
        run(home, {**FLAGS, "images.folder": str(folder / "photos")})
    os.environ.clear()
    os.environ.update(saved)
    return home


@pytest.fixture
def own_sampled(sampled: Home, copy_home, tmp_path: Path) -> Home:
    """A copy of it for one test."""
    return copy_home(tmp_path / "sampled", sampled)


def test_every_image_is_placed_as_a_fit_of_all_would(sampled: Home, refreshed: Home) -> None:
    assert placed(sampled) == {"fitted": SAMPLE, "assigned": 48 - SAMPLE}
    assert rows(sampled, "SELECT sum(n_fitted) <= 32, sum(n_images) > 40 FROM concepts") == [(True, True)]
    assert rows(sampled, "SELECT DISTINCT placed FROM concept_images WHERE exemplar_rank IS NOT NULL") == [
        ("fitted",)
    ]
    ours, theirs = ([row[1] for row in rows(home, MEMBERS)] for home in (sampled, refreshed))
    assert adjusted_rand_score(theirs, ours) > 0.8
    assert np.isfinite([row[2:4] for row in rows(sampled, MEMBERS)]).all()
    assert dangling_references(sampled.database) == {}
    share = (
        "SELECT count(*) FROM concept_images JOIN images USING (image_id) WHERE placed = 'fitted' "
        "GROUP BY split_part(path, '/', 1)"
    )
    assert all(5 <= n <= 11 for (n,) in rows(sampled, share)), "eight of each kind, about"


def test_what_the_fit_placed_is_no_addition_and_what_comes_and_goes_is_counted(
    own_sampled: Home, run
) -> None:
    before = rows(own_sampled, MEMBERS)
    assert run(own_sampled)[0]["refresh_id"] == 1, "nothing changed"
    assert run(own_sampled, {"reduction.refit_after": "0.11"})[0]["mode"] == "kept"
    assert rows(own_sampled, MEMBERS) == before
    new = add(own_sampled, "beach", 2)
    summary, _ = run(own_sampled)
    assert (summary["mode"], summary["n_images"]) == ("assigned", 50)
    assert placed(own_sampled) == {"fitted": SAMPLE, "assigned": 18}
    after = {row[0]: row for row in rows(own_sampled, MEMBERS)}
    assert [after[row[0]] for row in before] == before
    new[0].unlink()
    lost = rows(
        own_sampled,
        "(SELECT path FROM concept_images JOIN images USING (image_id) WHERE placed = 'fitted' LIMIT 2) UNION ALL "
        "(SELECT path FROM concept_images JOIN images USING (image_id) WHERE placed = 'assigned' "
        "AND path NOT LIKE '%/51%' LIMIT 2)",
    )
    for (path,) in lost:
        (own_sampled.path.parent / "photos" / path).unlink()
    assert run(own_sampled)[0]["mode"] == "assigned"  # 5 of 49
    add(own_sampled, "pizza", 1)
    assert run(own_sampled)[0]["mode"] == "fit"
    assert reason(own_sampled) == "12 % of the images came or went since the fit"
    assert placed(own_sampled) == {"fitted": SAMPLE, "assigned": 14}
    kept = {row[0]: row[1] for row in rows(own_sampled, MEMBERS)}
    both = [(row[1], kept[row[0]]) for row in before if row[0] in kept and row[1] >= 0 and kept[row[0]] >= 0]
    assert np.mean([was == now for was, now in both]) > 0.9
    assert dangling_references(own_sampled.database) == {}


def test_a_clustering_setting_groups_the_sample_of_the_layout_again(own_sampled: Home, run) -> None:
    fitted = "SELECT image_id FROM concept_images WHERE placed = 'fitted' ORDER BY image_id"
    before = rows(own_sampled, fitted)
    add(own_sampled, "beach", 2)
    run(own_sampled)
    for size in ("6", "5"):  # at first its images are fewer than those of now; then they are the same
        summary, done = run(own_sampled, {"clustering.min_concept_size": size})
        assert summary["mode"] == "fit"
        assert "reduced_vectors" in done.reused
        assert rows(own_sampled, fitted) == before
        assert len(rows(own_sampled, "SELECT 1 FROM concepts")) >= 3
    add(own_sampled, "clock", 4)
    assert run(own_sampled)[0]["mode"] == "assigned", "four of 54 since the last fit"


def test_another_bound_makes_another_sample_and_leaves_a_fit_of_all_alone(
    own_sampled: Home, own_home: Home, run
) -> None:
    assert run(own_sampled, {"reduction.fit_sample": "1000"})[0]["mode"] == "fit"
    assert reason(own_sampled) == "reduction.fit_sample changed"
    assert placed(own_sampled) == {"fitted": 48}
    before = rows(own_home, MEMBERS)
    assert run(own_home, {"reduction.fit_sample": str(SAMPLE)})[0]["mode"] == "kept"
    assert rows(own_home, MEMBERS) == before


@pytest.mark.parametrize("key", ["reduction.n_neighbors", "clustering.min_concept_size"])
def test_a_trial_finds_what_a_refresh_publishes(own_sampled: Home, run, key: str) -> None:
    add(own_sampled, "beach", 2)
    run(own_sampled)
    [row] = experiment(own_sampled, {key: ["6"]}, None, lambda *_: None, lambda *_: None).rows
    summary, _ = run(own_sampled, {key: "6"})
    client = MlflowClient(f"sqlite:///{own_sampled.mlflow_database}")
    trial, refresh = (
        client.get_run(found).data.metrics for found in (row["run_id"], summary["mlflow_run_id"])
    )
    same = trial.keys() & refresh.keys() - {"seconds_total"}
    assert {"concepts", "outliers", "silhouette", "ari"} <= same
    assert {name: trial[name] for name in same} == {name: refresh[name] for name in same}
    assert placed(own_sampled)["fitted"] == SAMPLE
