"""A standing fit: new images are assigned to it, and nothing else moves."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from concept_lib.database.integrity import dangling_references
from concept_lib.images.sample import render
from concept_lib.storage import Home

MEMBERS = "SELECT image_id, concept_id, map_x, map_y, placed FROM concept_images ORDER BY image_id"
CONCEPTS = "SELECT concept_id, label, embedding, label_confidence FROM concepts ORDER BY concept_id"


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def add(home: Home, kind: str, n: int, first: int = 5_100_000) -> list[Path]:
    (photos(home) / kind).mkdir(exist_ok=True)
    paths = [photos(home) / kind / f"{number}.jpg" for number in range(first, first + n)]
    for number, path in enumerate(paths, first):
        render(kind, number, 128).save(path, quality=92)
    return paths


def last(home: Home) -> tuple:
    [row] = rows(home, "SELECT mode, fit_refresh_id, title FROM refreshes ORDER BY refresh_id DESC LIMIT 1")
    return row


def test_new_images_join_their_concepts_and_nothing_else_moves(own_home: Home, run) -> None:
    before, concepts = rows(own_home, MEMBERS), rows(own_home, CONCEPTS)
    add(own_home, "beach", 1)
    add(own_home, "clock", 2)
    summary, done = run(own_home)
    assert (summary["mode"], summary["n_embedded"], summary["n_images"]) == ("assigned", 3, 51)
    assert last(own_home) == ("assigned", 1, "+3 images, assigned")
    after = {row[0]: row for row in rows(own_home, MEMBERS)}
    assert [after[row[0]] for row in before] == before
    assert rows(own_home, CONCEPTS) == concepts
    assert "labels" in done.computed
    new = rows(
        own_home,
        "SELECT m.concept_id, o.concept_id, m.placed, m.exemplar_rank, m.probability > 0.5 FROM concept_images m "
        "JOIN images i USING (image_id) JOIN (SELECT any_value(concept_id) AS concept_id, split_part(path, '/', 1) "
        "AS kind FROM concept_images JOIN images USING (image_id) WHERE placed = 'fitted' AND concept_id >= 0 "
        "GROUP BY kind) o ON o.kind = split_part(i.path, '/', 1) WHERE placed = 'assigned'",
    )
    assert len(new) == 3
    assert all(found == kin and placed == "assigned" for found, kin, placed, *_ in new)
    assert all(rank is None and sure for *_, rank, sure in new)
    sizes = rows(own_home, "SELECT sum(n_images), sum(n_fitted) FROM concepts")
    assert sizes == [(51, 48)]
    assert dangling_references(own_home.database) == {}


def test_what_looks_like_nothing_known_is_an_outlier(own_home: Home, run) -> None:
    add(own_home, "fireworks", 2)
    run(own_home)
    found = rows(own_home, "SELECT concept_id, probability FROM concept_images WHERE placed = 'assigned'")
    assert found == [(-1, 0.0)] * 2


def test_a_deleted_exemplar_is_replaced_by_a_fitted_image(own_home: Home, run) -> None:
    [(path, concept_id)] = rows(
        own_home,
        "SELECT path, concept_id FROM concept_images JOIN images USING (image_id) WHERE exemplar_rank = 1 "
        "ORDER BY concept_id LIMIT 1",
    )
    query = (
        "SELECT image_id FROM concept_images WHERE concept_id = "
        f"{concept_id} AND exemplar_rank IS NOT NULL ORDER BY exemplar_rank"
    )
    before = rows(own_home, query)
    (photos(own_home) / path).unlink()
    add(own_home, path.split("/")[0], 1)
    summary, _ = run(own_home)
    assert summary["mode"] == "assigned"
    after = rows(own_home, query)
    assert after[: len(before) - 1] == before[1:]
    assert len(after) == len(before)
    others = rows(
        own_home,
        f"SELECT concept_id, drift FROM concept_history WHERE refresh_id = 2 AND concept_id <> {concept_id}",
    )
    assert {drift for _, drift in others} == {0.0}


def test_too_much_change_is_fitted_anew_and_counted_since_the_fit(own_home: Home, run) -> None:
    add(own_home, "beach", 3)
    assert run(own_home)[0]["mode"] == "assigned"
    add(own_home, "pizza", 3)
    assert run(own_home)[0]["mode"] == "fit", "six of 54 since the fit, three since the last refresh"
    [(reason,)] = rows(own_home, "SELECT reason FROM refreshes WHERE refresh_id = 3")
    assert reason == "11 % of the images came or went since the fit"
    assert last(own_home)[1] == 3
    assert rows(own_home, "SELECT DISTINCT placed FROM concept_images") == [("fitted",)]
    add(own_home, "clock", 1)
    assert run(own_home)[0]["mode"] == "assigned"
    assert last(own_home)[1] == 3


@pytest.mark.parametrize(("refit", "mode"), [("always", "fit"), ("never", "assigned")])
def test_the_user_may_say_it_outright(own_home: Home, run, refit: str, mode: str) -> None:
    add(own_home, "beach", 1 if refit == "always" else 12)
    assert run(own_home, {"reduction.refit": refit})[0]["mode"] == mode


def test_refit_rules_alone_change_nothing(own_home: Home, run) -> None:
    before = rows(own_home, MEMBERS)
    assert run(own_home, {"reduction.refit_after": "0.2"})[0]["mode"] == "kept"
    assert rows(own_home, MEMBERS) == before


def test_a_clustering_setting_groups_the_assigned_too_without_umap(own_home: Home, run) -> None:
    add(own_home, "beach", 2)
    run(own_home)
    places = rows(own_home, "SELECT image_id, map_x, map_y FROM concept_images ORDER BY ALL")
    summary, done = run(own_home, {"clustering.min_concept_size": "6"})
    assert summary["mode"] == "fit"
    assert "reduced_vectors" in done.reused
    assert rows(own_home, "SELECT image_id, map_x, map_y FROM concept_images ORDER BY ALL") == places
    assert rows(own_home, "SELECT count(*) FROM concept_images WHERE placed = 'fitted'") == [(50,)]
    assert last(own_home)[1] == 3


def test_there_and_back_again_keeps_every_id(own_home: Home, run) -> None:
    before, concepts = rows(own_home, MEMBERS), rows(own_home, CONCEPTS)
    [path] = add(own_home, "beach", 1)
    run(own_home)
    path.unlink()
    summary, _ = run(own_home)
    assert (summary["refresh_id"], summary["mode"], summary["n_embedded"]) == (3, "assigned", 0)
    assert rows(own_home, MEMBERS) == before
    assert rows(own_home, CONCEPTS) == concepts


def test_a_concept_left_with_one_image_dies_and_its_image_is_an_outlier(own_home: Home, run) -> None:
    [(concept_id,)] = rows(
        own_home,
        "SELECT DISTINCT concept_id FROM concept_images JOIN images USING (image_id) WHERE path LIKE 'pizza/%' "
        "AND concept_id >= 0 LIMIT 1",
    )
    paths = rows(
        own_home,
        f"SELECT path FROM concept_images JOIN images USING (image_id) WHERE concept_id = {concept_id} ORDER BY path",
    )
    for (path,) in paths[1:]:
        (photos(own_home) / path).unlink()
    summary, _ = run(own_home, {"reduction.refit": "never"})
    assert summary["mode"] == "assigned"
    assert rows(own_home, f"SELECT * FROM concepts WHERE concept_id = {concept_id}") == []
    assert rows(
        own_home,
        f"SELECT concept_id, probability FROM concept_images JOIN images USING (image_id) WHERE path = '{paths[0][0]}'",
    ) == [(-1, 0.0)]
    kinds = rows(
        own_home, f"SELECT kind FROM concept_events WHERE refresh_id = 2 AND concept_id = {concept_id}"
    )
    assert kinds == [("died",)]
    assert dangling_references(own_home.database) == {}


def test_the_order_in_which_images_come_does_not_matter(own_home: Home, run, tmp_path: Path) -> None:
    add(own_home, "beach", 1)
    run(own_home)
    add(own_home, "pizza", 1)
    add(own_home, "clock", 1)
    run(own_home)
    one_by_one = rows(own_home, MEMBERS)

    for kind in ("beach", "pizza", "clock"):
        (photos(own_home) / kind / "5100000.jpg").unlink()
    run(own_home)
    for kind in ("clock", "pizza", "beach"):
        add(own_home, kind, 1)
    run(own_home)
    ours, theirs = ([row[:2] + row[4:] for row in found] for found in (rows(own_home, MEMBERS), one_by_one))
    assert ours == theirs
    places = [np.array([row[2:4] for row in found]) for found in (rows(own_home, MEMBERS), one_by_one)]
    np.testing.assert_allclose(*places, atol=1e-4)


def test_a_concept_that_no_image_touched_keeps_its_words_by_ctfidf(own_home: Home, run) -> None:
    run(own_home, {"labels.method": "ctfidf"})
    query = (
        "SELECT concept_id, label, (SELECT list((word, score) ORDER BY rank) FROM concept_words w WHERE "
        "w.concept_id = c.concept_id AND method = 'ctfidf') FROM concepts c ORDER BY concept_id"
    )
    before = {row[0]: row for row in rows(own_home, query)}
    add(own_home, "beach", 2)
    run(own_home)
    after = {row[0]: row for row in rows(own_home, query)}
    touched = {
        row[0] for row in rows(own_home, "SELECT concept_id FROM concept_images WHERE placed = 'assigned'")
    }
    assert touched
    assert all(after[key] == before[key] for key in before.keys() - touched)
    assert any(after[key][2] != before[key][2] for key in touched)
