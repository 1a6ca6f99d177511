from __future__ import annotations

from pathlib import Path

import pytest

from concept_lib.errors import ConceptError
from concept_lib.settings import SECTIONS, Settings
from concept_lib.settings_sources import keep, kept, resolve
from concept_lib.storage import Home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path / "data")


def test_later_sources_win_and_say_so(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "concept.toml").write_text(
        "[reduction]\nn_neighbors = 11\nmin_dist = 0.1\nseed = 1\nn_components = 3\n"
    )
    keep(home, {"reduction.min_dist": "0.2", "reduction.seed": "2", "reduction.n_components": "4"})
    monkeypatch.setenv("CONCEPT_REDUCTION__SEED", "3")
    monkeypatch.setenv("CONCEPT_REDUCTION__N_COMPONENTS", "6")
    found = resolve(home, {"reduction.n_components": "7"})
    section = found.settings.reduction
    assert (section.n_neighbors, section.min_dist, section.seed, section.n_components) == (11, 0.2, 3, 7)
    origins = {
        key.partition(".")[2]: value for key, value in found.origins.items() if key.startswith("reduction.")
    }
    assert origins == {
        "n_neighbors": "concept.toml",
        "min_dist": "home",
        "seed": "environment",
        "n_components": "flag",
        **dict.fromkeys(("map_min_dist", "fit_sample", "refit", "refit_after", "refit_outliers"), "default"),
    }


def test_concept_toml_is_found_again_from_another_folder(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "concept.toml").write_text('[images]\nfolder = "photos"\n[labels]\nn_words = 4\n')
    keep(home, {})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = resolve(home).settings
    assert settings.labels.n_words == 4
    assert settings.images.folder == str(tmp_path / "photos")


def test_an_empty_value_takes_back_what_the_home_keeps(home: Home) -> None:
    keep(home, {"labels.n_words": "4", "reduction.seed": "9"})
    flags = {"labels.n_words": ""}
    assert resolve(home, flags).settings.labels.n_words == Settings().labels.n_words
    keep(home, flags)
    assert kept(home) == {"reduction.seed": 9}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("reduction.n_neighbours", "3", "[reduction] takes n_neighbors"),
        ("reductions.n_neighbors", "3", "sections are images"),
        ("n_neighbors", "3", "sections are images"),
        ("reduction.n_neighbors", "many", "neighbours of each image"),
        ("reduction.n_neighbors", "1", "greater than or equal to 2"),
        ("clustering.min_concept_size", "1", "at least 2"),
        ("clustering.min_concept_size", "small", "auto"),
        ("labels.method", "magic", "'cosine' or 'ctfidf'"),
        ("labels.min_confidence", "1.5", "less than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_the_key(home: Home, key: str, value: str, told: str) -> None:
    with pytest.raises(ConceptError) as caught:
        resolve(home, {key: value})
    line = str(caught.value)
    assert key in line
    assert told in line
    assert "\n" not in line


def test_broken_toml_names_the_file(home: Home, tmp_path: Path) -> None:
    (tmp_path / "concept.toml").write_text("[labels\n")
    with pytest.raises(ConceptError, match=r"concept\.toml is not valid TOML"):
        resolve(home)


def test_numbers_are_text_where_text_is_wanted(home: Home) -> None:
    assert resolve(home, {"tracking.experiment": "2024"}).settings.tracking.experiment == "2024"


def test_the_version_of_a_section_follows_results_and_not_machines() -> None:
    base = Settings()
    busy = Settings.model_validate({"images": {"workers": 3, "folder": "/a"}, "embedding": {"device": "cpu"}})
    assert all(base.version(name) == busy.version(name) for name in SECTIONS)
    changed = Settings.model_validate({"labels": {"n_words": 3}})
    assert [name for name in SECTIONS if base.version(name) != changed.version(name)] == ["labels"]


def test_every_setting_says_what_it_is() -> None:
    for section in SECTIONS.values():
        assert all(field.description for field in section.model_fields.values())
