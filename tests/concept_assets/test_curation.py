"""The user's word outlives refreshes, and can be taken back."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import duckdb
import pytest

from concept_assets import curate as module
from concept_assets.curate import (
    curation,
    merge_concepts,
    pin_concept,
    rename_concept,
    undo_action,
)
from concept_lib.curation import Action, load_actions
from concept_lib.database.integrity import dangling_references
from concept_lib.errors import ConceptError
from concept_lib.images.sample import render
from concept_lib.storage import Home

NAME = "Zoë's beach · 海"


def rows(home: Home, query: str, *values: object) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query, values or None).fetchall()


def concept_of(home: Home, kind: str) -> int:
    """Concept of most images of a kind."""
    query = (
        "SELECT mode(concept_id) FROM concept_images JOIN images USING (image_id) WHERE path LIKE ? || '/%'"
    )
    [(concept_id,)] = rows(home, query, kind)
    assert concept_id >= 0
    return int(concept_id)


def label(home: Home, concept_id: int) -> tuple:
    query = "SELECT label, named, label_method, label_confidence FROM concepts WHERE concept_id = ?"
    [row] = rows(home, query, concept_id)
    return row


def test_a_name_is_the_users_at_once_and_outlives_refit_and_new_images(own_home: Home, run, decide) -> None:
    beach = concept_of(own_home, "beach")
    words, _, method, confidence = label(own_home, beach)
    listed = rows(own_home, "SELECT words FROM concept_summary WHERE concept_id = ?", beach)
    summary, done = decide(own_home, rename_concept(beach, f"  {NAME} "))
    assert summary["mode"] == "kept"
    assert set(done.computed) == {"clusters", "labels", "concept_database"}
    assert label(own_home, beach) == (NAME, True, "user", confidence)
    assert rows(own_home, "SELECT words FROM concept_summary WHERE concept_id = ?", beach) == listed
    [event] = rows(own_home, "SELECT kind, concept_id, label_before, label_after FROM latest_changes")
    assert event == ("renamed", beach, words, NAME)

    assert run(own_home, {"clustering.min_concept_size": "6"})[0]["mode"] == "fit"
    render("beach", 5_200_000, 128).save(own_home.path.parent / "photos" / "beach" / "new.jpg", quality=92)
    run(own_home)
    assert concept_of(own_home, "beach") == beach
    assert label(own_home, beach)[:3] == (NAME, True, "user")

    decide(own_home, undo_action(None))
    assert label(own_home, beach)[:3] == (words, True, method)
    assert run(own_home)[0]["mode"] == "unchanged"
    assert dangling_references(own_home.database) == {}


def test_the_table_says_since_when_and_until_when(own_home: Home, decide) -> None:
    first, second = concept_of(own_home, "pizza"), concept_of(own_home, "clock")
    decide(own_home, rename_concept(first, "dinner"))
    decide(own_home, rename_concept(second, "time"))
    decide(own_home, undo_action(1))
    query = (
        "SELECT refresh_id, action_no, action, concept_id, name, undone_refresh_id FROM curation ORDER BY ALL"
    )
    assert rows(own_home, query) == [
        (2, 1, "rename", first, "dinner", 4),
        (3, 2, "rename", second, "time", None),
    ]
    told = [(row["number"], row["undone"], row["undone_refresh_id"]) for row in curation(own_home)]
    assert told == [(1, True, 4), (2, False, None)]
    assert label(own_home, first)[0] != "dinner"
    assert label(own_home, second)[0] == "time"


def test_a_pinned_label_outlives_other_words(own_home: Home, run, decide, tmp_path: Path) -> None:
    pizza = concept_of(own_home, "pizza")
    words = label(own_home, pizza)[0]
    decide(own_home, pin_concept(pizza))
    (tmp_path / "words.txt").write_text("lunch\nmorning\n")
    run(own_home, {"vocabulary.source": str(tmp_path / "words.txt"), "labels.min_confidence": "0"})
    assert label(own_home, pizza)[0] == words
    decide(own_home, rename_concept(pizza, "dinner"))
    assert label(own_home, pizza)[0] == "dinner"
    decide(own_home, undo_action(None))
    decide(own_home, undo_action(None))
    assert label(own_home, pizza)[0] in {"lunch", "morning", "lunch, morning", "morning, lunch"}


def members(home: Home) -> dict[str, int]:
    return dict(rows(home, "SELECT image_id, concept_id FROM concept_images"))


def test_merged_concepts_are_one_until_they_part_again(own_home: Home, run, decide) -> None:
    beach, clock = concept_of(own_home, "beach"), concept_of(own_home, "clock")
    concepts = "SELECT * EXCLUDE collage FROM concepts ORDER BY concept_id"
    before, told = members(own_home), rows(own_home, concepts)
    summary, done = decide(own_home, merge_concepts(beach, clock))
    assert summary["n_concepts"] == 3
    assert {"reduced_vectors", "image_embeddings"} <= set(done.reused)
    assert members(own_home) == {
        image: beach if concept == clock else concept for image, concept in before.items()
    }
    kinds = rows(
        own_home, "SELECT kind, concept_id FROM latest_changes WHERE kind IN ('merged', 'died', 'born')"
    )
    assert set(kinds) == {("merged", beach), ("died", clock)}
    assert rows(own_home, "SELECT fit_refresh_id FROM refreshes WHERE refresh_id = 2") == [(1,)]
    assert rows(own_home, "SELECT action, concept_id, other_concept_id FROM curation") == [
        ("merge", beach, clock)
    ]
    assert dangling_references(own_home.database) == {}
    with pytest.raises(ConceptError, match=f"concept {beach} took in concept {clock}; see: concept curation"):
        decide(own_home, rename_concept(clock, "time"))

    render("clock", 5_200_000, 128).save(own_home.path.parent / "photos" / "clock" / "new.jpg", quality=92)
    assert run(own_home)[0]["mode"] == "assigned"
    [new] = members(own_home).keys() - before.keys()
    assert members(own_home)[new] == beach
    (own_home.path.parent / "photos" / "clock" / "new.jpg").unlink()

    decide(own_home, undo_action(None))
    assert members(own_home) == before
    assert rows(own_home, concepts) == told
    assert dangling_references(own_home.database) == {}


def test_a_merge_outlives_a_refit(own_home: Home, run, decide) -> None:
    beach, clock, pizza = (concept_of(own_home, kind) for kind in ("beach", "clock", "pizza"))
    decide(own_home, merge_concepts(beach, clock))
    decide(own_home, merge_concepts(pizza, beach))
    assert run(own_home, {"clustering.min_concept_size": "6"})[0]["mode"] == "fit"
    assert {concept_of(own_home, kind) for kind in ("beach", "clock", "pizza")} == {pizza}
    decide(own_home, undo_action(1))
    assert [concept_of(own_home, kind) for kind in ("beach", "clock", "pizza")] == [pizza, clock, pizza]
    decide(own_home, undo_action(2))
    assert [concept_of(own_home, kind) for kind in ("beach", "clock", "pizza")] == [beach, clock, pizza]


def test_a_pinned_concept_outlives_a_fit_that_lost_it(own_home: Home, run, decide, regroup) -> None:
    pizza = concept_of(own_home, "pizza")
    before, words = members(own_home), label(own_home, pizza)
    held = {image for image, concept in before.items() if concept == pizza}
    decide(own_home, pin_concept(pizza))
    regroup({"beach": 0, "pizza/00": 0, "pizza/01": 0, "pizza": -1, "clock": 1, "sunflower": 2})
    assert run(own_home, {"clustering.min_concept_size": "6"})[0]["mode"] == "fit"
    assert {image for image, concept in members(own_home).items() if concept == pizza} == held
    assert label(own_home, pizza)[0] == words[0]
    assert rows(own_home, "SELECT cluster FROM concepts WHERE concept_id = ?", pizza) == [(None,)]
    query = "SELECT min(probability) > 0, count(exemplar_rank) > 0 FROM concept_images WHERE concept_id = ?"
    assert rows(own_home, query, pizza) == [(True, True)]
    assert dangling_references(own_home.database) == {}

    decide(own_home, undo_action(None))
    run(own_home, {"clustering.min_concept_size": "7"})
    assert pizza not in members(own_home).values(), "nothing holds it any more"


def test_a_pinned_concept_dies_with_its_last_but_one_image(own_home: Home, run, decide, regroup) -> None:
    pizza = concept_of(own_home, "pizza")
    decide(own_home, pin_concept(pizza))
    for left in (2, 1):
        paths = rows(
            own_home,
            "SELECT path FROM concept_images JOIN images USING (image_id) WHERE concept_id = ? ORDER BY path",
            pizza,
        )
        for (path,) in paths[left:]:
            (own_home.path.parent / "photos" / path).unlink()
        regroup({"pizza": -1, "beach": 0, "clock": 1, "sunflower": 2})
        assert run(own_home, {"clustering.min_concept_size": str(10 + left)})[0]["mode"] == "fit"
        assert list(members(own_home).values()).count(pizza) == (2 if left == 2 else 0)
    assert run(own_home)[0]["mode"] == "unchanged", "the pin of a dead concept does no harm"


def test_a_refresh_that_fails_takes_the_action_back(own_home: Home, run, decide, monkeypatch) -> None:
    beach = concept_of(own_home, "beach")
    before = label(own_home, beach)

    def fail(*_: object) -> None:
        raise ConceptError("the disk is full; make room")

    with monkeypatch.context() as patch:
        patch.setattr("concept_assets.assets.labels.names_in_force", fail)
        with pytest.raises(ConceptError, match="the disk is full; make room"):
            decide(own_home, rename_concept(beach, "sea"))
    assert run(own_home)[0]["mode"] == "unchanged"
    assert (label(own_home, beach), curation(own_home)) == (before, [])

    decide(own_home, rename_concept(beach, "sea"))
    with monkeypatch.context() as patch:
        patch.setattr(module, "refresh", fail)
        with pytest.raises(ConceptError, match="the disk is full; make room"):
            decide(own_home, undo_action(None))
    assert run(own_home)[0]["mode"] == "unchanged"
    assert [action.undone for action in load_actions(own_home)] == [True, False]


def test_a_lost_list_comes_back_from_the_history_and_a_lost_database_with_it(
    own_home: Home, run, decide
) -> None:
    beach = concept_of(own_home, "beach")
    decide(own_home, rename_concept(beach, "sea"))
    before = rows(own_home, "SELECT * FROM curation")
    own_home.curation.unlink()
    own_home.database.unlink()
    run(own_home)
    assert label(own_home, beach)[0] == "sea"
    assert rows(own_home, "SELECT * FROM curation") == before
    own_home.curation.write_text("[{]")
    with pytest.raises(ConceptError, match=r"curation.json is damaged"):
        run(own_home)


def test_what_changed_meanwhile_is_taken_in(own_home: Home, decide) -> None:
    beach = concept_of(own_home, "beach")
    shutil.copy(*[own_home.path.parent / "photos" / "pizza" / name for name in ("00.jpg", "copy.jpg")])
    summary, _ = decide(own_home, rename_concept(beach, "sea"))
    assert (summary["refresh_id"], summary["n_files"]) == (2, 49)
    assert label(own_home, beach)[0] == "sea"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (lambda: rename_concept(99, "sea"), "there is no concept 99; see: concept concepts"),
        (lambda: merge_concepts(0, 99), "there is no concept 99; see: concept concepts"),
        (lambda: merge_concepts(0, 0), "concept 0 cannot be merged into itself; choose two concepts"),
        (lambda: pin_concept(99), "there is no concept 99; see: concept concepts"),
        (lambda: undo_action(None), "there is nothing to undo"),
        (lambda: undo_action(3), "action 3 does not exist; see: concept curation"),
        (lambda: rename_concept(0, "two\nlines"), "is no name"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_noted(refreshed: Home, decide, wanted, says: str) -> None:
    with pytest.raises(ConceptError, match=says):
        decide(refreshed, wanted())
    assert not refreshed.curation.exists()


def test_the_commands(own_home: Home, monkeypatch, capfd) -> None:
    from concept_assets.cli import main

    def concept(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["concept", *map(str, arguments), "--home", str(own_home.path)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capfd.readouterr().out

    beach = concept_of(own_home, "beach")
    words = label(own_home, beach)[0]
    assert concept("curation").startswith("Nothing yet")
    first, second = concept("rename", beach, NAME).splitlines()
    assert first == f'concept {beach} "{words}" is now "{NAME}"'
    assert second == "refresh 2, action 1; take it back with: concept undo 1"
    assert f'concept {beach} "{NAME}" keeps its id and its label' in concept("pin", beach)
    listed = json.loads(concept("curation", "--json"))
    assert [(row["number"], row["refresh_id"], row["undone"]) for row in listed] == [
        (1, 2, False),
        (2, 3, False),
    ]
    assert f'rename {beach} "{NAME}"' in concept("curation")
    said = json.loads(concept("undo", "--json"))
    assert (said["number"], said["action"], said["refresh"]["refresh_id"]) == (2, "pin", 4)
    assert concept("undo", 1).splitlines()[0] == f'undone: rename {beach} "{NAME}"'
    assert label(own_home, beach)[0] == words


def test_a_concept_that_vanishes_in_the_same_refresh_is_told(monkeypatch, capfd, tmp_path: Path) -> None:
    from concept_assets.cli import main

    action = Action(number=1, action="pin", concept_id=3)
    done = (action, {"refresh_id": 2}, {3: {"label": "sea", "n_images": 4}}, {})
    monkeypatch.setattr(module, "curate", lambda *_: done)
    monkeypatch.setattr(sys, "argv", ["concept", "pin", "3", "--home", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    told = capfd.readouterr().out.splitlines()[0]
    assert told == "concept 3 did not outlast the refresh, in which images or settings changed too"
