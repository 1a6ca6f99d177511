"""What can be tried, and what is said where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from concept_lib.errors import ConceptError
from concept_lib.experiment.grid import parse_grid, points_of
from concept_lib.settings import SECTIONS
from concept_lib.storage import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path / "home")


def test_each_combination_is_a_point_in_the_order_given(home: Home) -> None:
    grid = parse_grid(["reduction.n_neighbors=10, 15", "clustering.min_concept_size=auto,20,auto"])
    found = [(s.reduction.n_neighbors, s.clustering.min_concept_size) for _, s in points_of(home, grid)]
    assert found == [(10, "auto"), (10, 20), (15, "auto"), (15, 20)]


def test_other_settings_are_those_of_the_home(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.path.mkdir()
    home.settings_file.write_text("[labels]\nn_words = 4\n[reduction]\nn_neighbors = 9\n")
    monkeypatch.setenv("CONCEPT_LABELS__N_SHOWN", "2")
    [(_, settings)] = points_of(home, {"reduction.n_neighbors": ["7"]})
    assert (settings.labels.n_words, settings.labels.n_shown, settings.reduction.n_neighbors) == (4, 2, 7)


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        ([], "nothing to try"),
        (["clustering.min_concept_size"], "write KEY=V1,V2"),
        (["labels.n_words="], "labels.n_words lacks a value"),
        (["labels.n_words=3,,4"], "labels.n_words lacks a value"),
        (["labels.n_words=3", "labels.n_words=4"], "labels.n_words is given twice"),
        (
            ["embedding.model=demo,other"],
            "embedding.model cannot be tried; settings of reduction, clustering",
        ),
        (["collages.width=200"], "collages.width cannot be tried"),
        (["reduction.refit=always"], "reduction.refit cannot be tried"),
        (["labels.n_wrods=3"], r"unknown setting labels.n_wrods .*: \[labels\] takes method, n_words"),
        (["clusterring.min_samples=3"], "unknown setting clusterring.min_samples"),
        (["n_neighbors=3"], "unknown setting n_neighbors"),
        (["reduction.n_neighbors=15,1"], "reduction.n_neighbors = 1 .*greater than or equal to 2"),
        (["labels.method=cosine,tfidf"], "labels.method = 'tfidf'"),
    ],
)
def test_what_cannot_be_tried_is_told_in_one_line(home: Home, texts: list[str], what: str) -> None:
    with pytest.raises(ConceptError, match=what) as told:
        points_of(home, parse_grid(texts))
    assert "\n" not in str(told.value)


def test_no_setting_that_can_be_tried_shares_its_short_name() -> None:
    names = [
        key
        for part in ("reduction", "clustering", "exemplars", "labels")
        for key in SECTIONS[part].model_fields
    ]
    assert len(names) == len(set(names))
