"""Concepts keep their ids over refits, and the events say what became of each: told again by plain SQL."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pytest

from benchmarks.lasting import EVENTS
from concept_lib.database.integrity import dangling_references
from concept_lib.images.sample import render
from concept_lib.storage import Home


def rows(home: Home, query: str, **values: object) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query, values or None).fetchall()


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def events(home: Home, refresh: int) -> list[tuple]:
    return rows(
        home,
        "SELECT event_no, kind, concept_id, other_concept_id, overlap, n_before, n_after, label_before, label_after "
        "FROM concept_events WHERE refresh_id = $refresh ORDER BY event_no",
        refresh=refresh,
    )


def check(home: Home, refresh: int) -> tuple[dict[str, float], set[str]]:
    """Compare events, drift and metrics with what the two assignments say; give the metrics and kinds."""
    assert events(home, refresh) == rows(home, EVENTS, refresh=refresh)
    assert dangling_references(home.database) == {}
    [(found,)] = rows(home, "SELECT metrics FROM refreshes WHERE refresh_id = $refresh", refresh=refresh)
    metrics = dict(found)
    kinds = [row[1] for row in events(home, refresh)]
    assert (metrics["born"], metrics["died"]) == (kinds.count("born"), kinds.count("died"))
    [(both, kept, moved)] = rows(
        home,
        "SELECT count(*) FILTER (x.concept_id >= 0 AND y.concept_id >= 0), "
        "count(*) FILTER (x.concept_id = y.concept_id AND x.concept_id >= 0), "
        "count(*) FILTER (x.concept_id <> y.concept_id) "
        "FROM membership_at($refresh - 1) x JOIN membership_at($refresh) y USING (image_id)",
        refresh=refresh,
    )
    assert metrics["ids_kept"] == pytest.approx(kept / both)
    assert metrics["ids_kept_bound"] == pytest.approx(metrics["ids_kept"])
    assert metrics["moved"] == moved
    drifts = rows(
        home,
        "SELECT y.drift, 1 - list_cosine_similarity(x.embedding, y.embedding) FROM concept_history y "
        "LEFT JOIN concept_history x ON x.concept_id = y.concept_id AND x.refresh_id = $refresh - 1 "
        "WHERE y.refresh_id = $refresh",
        refresh=refresh,
    )
    assert all((told is None) == (truth is None) for told, truth in drifts)
    known = np.array([pair for pair in drifts if pair[0] is not None])
    np.testing.assert_allclose(known[:, 0], known[:, 1], atol=1e-6)
    assert metrics["mean_drift"] == pytest.approx(known[:, 0].mean())
    return metrics, set(kinds)


def add(home: Home, kind: str, n: int, first: int = 5_100_000) -> None:
    (photos(home) / kind).mkdir(exist_ok=True)
    for number in range(first, first + n):
        render(kind, number, 128).save(photos(home) / kind / f"{number}.jpg", quality=92)


def test_ids_last_when_images_and_clustering_settings_change(own_home: Home, run) -> None:
    for kind in ("beach", "pizza", "clock", "sunflower"):
        add(own_home, kind, 2)
    summary, _ = run(own_home, {"clustering.min_concept_size": "6"})
    assert summary["mode"] == "fit"
    metrics, _ = check(own_home, 2)
    assert metrics["ids_kept"] >= 0.95
    assert metrics["ari"] > 0.9


def test_merges_splits_births_and_deaths_are_told(own_home: Home, run, regroup) -> None:
    regroup({"beach": 0, "pizza": 0, "clock": 1, "sunflower/0": 2, "sunflower": -1})
    run(own_home, {"clustering.min_concept_size": "6"})
    _, merging = check(own_home, 2)
    assert {"merged", "grew", "died"} <= merging

    add(own_home, "beach", 3)
    regroup({"beach": 1, "pizza/0": 0, "pizza": 2, "clock/0": 3, "clock": 4, "sunflower": 5})
    run(own_home, {"clustering.min_concept_size": "7"})
    metrics, splitting = check(own_home, 3)
    assert {"split", "born", "shrank"} <= splitting
    assert metrics["ids_kept"] < 0.95

    shutil.rmtree(photos(own_home) / "pizza")
    add(own_home, "train", 12)
    regroup({"beach": 0, "clock": 1, "sunflower": 2, "train": 3})
    run(own_home)
    _, replacing = check(own_home, 4)
    assert {"born", "died", "merged"} <= replacing

    regroup({"": -1})
    run(own_home, {"clustering.min_concept_size": "8"})
    assert events(own_home, 5) == rows(own_home, EVENTS, refresh=5)
    regroup({"beach": 0, "": 1})
    run(own_home, {"clustering.min_concept_size": "9"})
    assert events(own_home, 6) == rows(own_home, EVENTS, refresh=6)

    born = rows(own_home, "SELECT concept_id FROM concept_events WHERE kind = 'born'")
    assert len(set(born)) == len(born), "an id was used twice"
    died = rows(own_home, "SELECT concept_id FROM concept_events WHERE kind = 'died'")
    assert set(died).isdisjoint(rows(own_home, "SELECT concept_id FROM concepts"))


def test_the_map_stays_where_it_was(own_home: Home, run) -> None:
    query = "SELECT image_id, map_x, map_y FROM concept_images"
    before = {image_id: place for image_id, *place in rows(own_home, query)}
    add(own_home, "beach", 3)
    run(own_home)
    after = {image_id: place for image_id, *place in rows(own_home, query)}
    ours, theirs = (np.array([places[image_id] for image_id in before]) for places in (after, before))
    assert len(after) == len(before) + 3
    # moved, turned and scaled already: no other way to lay it down is closer
    np.testing.assert_allclose(ours.mean(axis=0), theirs.mean(axis=0), atol=1e-4)
    ours, theirs = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    assert np.linalg.norm(ours) == pytest.approx(np.linalg.norm(theirs), rel=1e-5)
    product = ours.T @ theirs
    np.testing.assert_allclose(product, product.T, atol=1e-3 * np.abs(product).max())
    assert np.linalg.norm(ours - theirs) < np.linalg.norm(theirs)


def test_an_unchanged_concept_keeps_exemplars_vector_and_label(own_home: Home, run) -> None:
    query = (
        "SELECT c.concept_id, label, label_confidence, n_images, embedding, list(i.image_id ORDER BY exemplar_rank), "
        "(SELECT list(word ORDER BY rank) FROM concept_words w WHERE w.concept_id = c.concept_id AND method = 'cosine')"
        " FROM concepts c JOIN concept_images i USING (concept_id) WHERE exemplar_rank IS NOT NULL GROUP BY ALL"
    )
    before = {row[0]: row for row in rows(own_home, query)}
    summary, _ = run(own_home, {"clustering.min_samples": "2"})
    assert summary["mode"] == "fit"
    after = {row[0]: row for row in rows(own_home, query)}
    same = rows(own_home, "SELECT concept_id FROM compare_refreshes(1, 2) WHERE change = 'same'")
    assert same
    for (concept_id,) in same:
        assert after[concept_id] == before[concept_id]
    drifts = rows(own_home, "SELECT concept_id, drift FROM concept_history WHERE refresh_id = 2")
    assert all(dict(drifts)[concept_id] == 0 for (concept_id,) in same)


def test_another_exemplar_setting_reaches_unchanged_concepts(own_home: Home, run) -> None:
    run(own_home, {"exemplars.n_exemplars": "3"})
    assert rows(own_home, "SELECT max(exemplar_rank) FROM concept_images") == [(3,)]
    check(own_home, 2)


@pytest.mark.parametrize("asset", ["clusters", "reduced_vectors"])
def test_damaged_files_cost_no_id(own_home: Home, run, asset: str) -> None:
    before = rows(own_home, "SELECT image_id, concept_id FROM concept_images ORDER BY ALL")
    for path in own_home.asset_folder(asset).glob("*/*.npy"):
        path.write_bytes(path.read_bytes()[:-1])
    _, done = run(own_home)
    assert any(asset in line and "damaged" in line for line in done.said)
    assert rows(own_home, "SELECT image_id, concept_id FROM concept_images ORDER BY ALL") == before


def test_a_strict_bound_lets_no_changed_concept_keep_its_id(own_home: Home, run, regroup) -> None:
    regroup({"beach/0": 0, "beach": -1, "pizza": 1, "clock": 2, "sunflower": 3})
    run(own_home, {"identity.min_jaccard": "1", "clustering.min_concept_size": "6"})
    changed = rows(own_home, "SELECT concept_id FROM compare_refreshes(1, 2) WHERE change = 'died'")
    kept = rows(own_home, "SELECT concept_id FROM compare_refreshes(1, 2) WHERE change = 'same'")
    assert (len(changed), len(kept)) == (1, 3)
    [(settings,)] = rows(own_home, "SELECT settings FROM refreshes WHERE refresh_id = 2")
    assert json.loads(settings)["identity"]["min_jaccard"] == 1


def test_two_homes_of_the_same_sequence_hold_identical_tables(own_home: Home, run, tmp_path: Path) -> None:
    shutil.copytree(own_home.path, tmp_path / "twin")
    add(own_home, "beach", 4)
    homes = (own_home, Home(tmp_path / "twin"))
    for home in homes:
        run(home, {"clustering.min_concept_size": "7"})
    for table in ("concepts", "concept_images", "concept_history", "concept_events", "image_moves"):
        query = f"SELECT * FROM {table} ORDER BY ALL"
        assert rows(homes[0], query) == rows(homes[1], query), table
