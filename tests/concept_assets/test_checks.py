"""Checks fail on bad data made on purpose, say what is wrong, and stop what would be built on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from concept_assets.assets import concepts, embeddings, labels, pictures
from concept_assets.definitions import defs
from concept_lib.errors import ConceptError
from concept_lib.images.sample import render
from concept_lib.storage import Contents, Home


def evaluations() -> dict[str, Any]:
    """The last evaluation of each check in the home of the last refresh."""
    with dg.DagsterInstance.get() as instance:
        records = instance.event_log_storage.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION), ascending=True
        )
    found = [record.event_log_entry.dagster_event.asset_check_evaluation_data for record in records]
    return {one.check_name: one for one in found}


def new_picture(home: Home) -> None:
    render("pizza", 6_000_001, 128).save(home.path.parent / "photos" / "pizza" / "new.jpg", quality=92)


def spoil(
    monkeypatch: pytest.MonkeyPatch, module: Any, change: Callable[[Contents], Mapping[str, Any]]
) -> None:
    """Whatever assets of a module make from now on is changed before it is stored."""

    def make(**parts: Any) -> Contents:
        made = Contents(**parts)
        return replace(made, **{name: {**getattr(made, name), **new} for name, new in change(made).items()})

    monkeypatch.setattr(module, "Contents", make)


def nan_vector(made: Contents) -> Mapping[str, Any]:
    vectors = np.array(made.arrays["vectors"])
    vectors[1] = np.nan
    return {"arrays": {"vectors": vectors}}


def long_vector(made: Contents) -> Mapping[str, Any]:
    vectors = np.array(made.arrays["vectors"])
    vectors[2] *= 2
    return {"arrays": {"vectors": vectors}}


def lost_place(made: Contents) -> Mapping[str, Any]:
    plane = np.array(made.arrays["map"])
    plane[0] = np.inf
    return {"arrays": {"map": plane}}


def no_exemplars(made: Contents) -> Mapping[str, Any]:
    members = made.tables["members"]
    column = members.schema.get_field_index("exemplar_rank")
    none = pa.nulls(members.num_rows, pa.int32())
    return {"tables": {"members": members.set_column(column, "exemplar_rank", none)}}


def no_picture(made: Contents) -> Mapping[str, Any]:
    return {"files": {"concept_00000.jpg": b"no picture", "concept_00009.jpg": b"nor this"}}


def lost_words(made: Contents) -> Mapping[str, Any]:
    words = made.tables["words"]
    return {"tables": {"words": words.filter(pc.not_equal(words["concept_id"], 0))}}


NOUNS = "beach\npizza\nclock\nsunflower\nsea\n"
BAD = {
    "image_vectors_are_sound": (embeddings, nan_vector, {}, {"vectors not finite": 1}),
    "word_vectors_are_sound": (
        embeddings,
        long_vector,
        {"vocabulary.source": "nouns.txt"},
        {"vectors not of length 1": 1},
    ),
    "every_image_has_its_place": (
        concepts,
        lost_place,
        {"reduction.seed": "7"},
        {"images without a place on the map": 1},
    ),
    "concepts_are_whole": (
        concepts,
        no_exemplars,
        {"exemplars.diversity": "0.6"},
        {"concepts without a best exemplar": 4},
    ),
    "every_concept_has_a_collage": (
        pictures,
        no_picture,
        {"collages.width": "512"},
        {"collages that cannot be read": 1, "collages of no concept": 1},
    ),
    "every_concept_has_words": (labels, lost_words, {"labels.n_words": "4"}, {"concepts without words": 2}),
}
"""Where data are spoilt, how, what makes that stage run anew, and what must be found."""


@pytest.mark.parametrize("check", BAD)
def test_bad_data_does_not_travel(own_home: Home, run, monkeypatch: pytest.MonkeyPatch, check: str) -> None:
    module, change, flags, expected = BAD[check]
    if check == "image_vectors_are_sound":
        new_picture(own_home)
    Path("nouns.txt").write_text(NOUNS)
    before = own_home.database.read_bytes()
    with monkeypatch.context() as patch:
        spoil(patch, module, change)
        with pytest.raises(ConceptError) as refused:
            run(own_home, flags)
    found = evaluations()[check]
    assert not found.passed
    assert found.severity == dg.AssetCheckSeverity.ERROR
    assert {name: found.metadata[name].value for name in expected} == expected
    for rule, count in expected.items():
        assert f"{rule}: {count}" in str(refused.value)
    assert found.description in str(refused.value)
    assert own_home.database.read_bytes() == before, "nothing is published"
    if check == "image_vectors_are_sound":
        assert run(own_home, flags)[0]["n_embedded"] == 0, "the cache holds the vector as the model made it"
        assert evaluations()[check].passed


def test_every_check_says_what_it_protects() -> None:
    specs = [spec for check in defs.asset_checks or () for spec in check.check_specs]
    for spec in specs:
        assert len(spec.description or "") > 40, spec.name
    blocking = {spec.name for spec in specs if spec.blocking}
    assert blocking == {*BAD, "every_file_is_accounted_for", "references_hold"}
