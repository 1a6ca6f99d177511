"""The `concept` command as a user types it: real processes, real folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from concept_lib.storage import Home

CONCEPT = Path(sys.executable).with_name("concept")


def concept(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(CONCEPT), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_from_an_empty_folder_to_concepts(tmp_path: Path) -> None:
    made = concept("sample", "pictures", "--count", "6", "--seed", "3", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "144 images of 24 kinds" in made.stdout
    assert (tmp_path / "pictures_labels.csv").is_file()

    arguments = ("refresh", "--images", "pictures", "--model", "demo", "--home", "home", "--json")
    first = concept(*arguments, "--set", "clustering.min_concept_size=5", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    said = json.loads(first.stdout)
    assert (said["mode"], said["n_images"], said["n_failed"], said["n_embedded"]) == ("fit", 144, 0, 144)
    assert Path(said["database"]) == tmp_path / "home" / "concepts.duckdb"
    assert len(list(Path(said["collages"]).glob("*.jpg"))) == said["n_concepts"] > 0
    assert set(said["seconds"]) >= {"images", "image_embeddings", "reduced_vectors", "concept_database"}

    again = json.loads(concept("refresh", "--home", "home", "--json", cwd=tmp_path).stdout)
    assert (again["mode"], again["n_embedded"], again["refresh_id"]) == ("unchanged", 0, 1)
    assert again["dagster_run_id"] == said["dagster_run_id"]

    shown = concept("concepts", "--home", "home", cwd=tmp_path)
    assert shown.stdout.splitlines()[0].split() == ["id", "label", "images", "confidence", "words"]
    assert len(shown.stdout.splitlines()) == said["n_concepts"] + 1


def test_listing_and_searching_agree_with_the_database(refreshed: Home, tmp_path: Path) -> None:
    listed = json.loads(concept("concepts", "--home", refreshed.path, "--json", cwd=tmp_path).stdout)
    assert [row["n_images"] for row in listed] == sorted((row["n_images"] for row in listed), reverse=True)
    found = json.loads(concept("find", "pizza", "--home", refreshed.path, "--json", cwd=tmp_path).stdout)
    assert found[0]["label"].startswith("pizza")
    assert [row["similarity"] for row in found] == sorted((row["similarity"] for row in found), reverse=True)
    asked = ("find", "pizza", "--images", "--top", "3", "--home", refreshed.path, "--json")
    images = json.loads(concept(*asked, cwd=tmp_path).stdout)
    assert [row["path"].split("/")[0] for row in images] == ["pizza"] * 3


def test_any_text_is_embedded_by_the_refreshs_own_model(refreshed: Home, tmp_path: Path) -> None:
    from concept_lib.database.queries import find_images
    from concept_lib.embedding.encoder import load_encoder

    asked = ("find", "two words", "--images", "--top", "4", "--home", refreshed.path, "--json")
    found = json.loads(concept(*asked, cwd=tmp_path).stdout)
    [vector] = load_encoder("demo").encode_texts(["two words"])
    expected = find_images(refreshed.database, vector, 4)
    assert [row["image_id"] for row in found] == [row["image_id"] for row in expected]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("concepts", "--home", "nowhere"), "run: concept refresh"),
        (("find", "cat", "--home", "nowhere"), "run: concept refresh"),
        (("refresh", "--images", "nowhere", "--model", "demo"), "nowhere"),
        (("refresh", "--set", "reduction.neighbours=3"), "[reduction] takes n_neighbors"),
        (("refresh", "--set", "reduction.n_neighbors=three"), "reduction.n_neighbors = 'three'"),
        (("refresh", "--set", "reduction"), "SECTION.KEY=VALUE"),
        (("refresh", "--images", ".", "--model", "demo", "--vocabulary", "missing.txt"), "missing.txt"),
        (("refresh", "--images", ".", "--model", "clip-ViT-B-32"), "--model demo"),
    ],
)
def test_mistakes_are_one_line_on_stderr(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    result = concept(*arguments, cwd=tmp_path, HF_HOME=str(tmp_path / "hub"))
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert told in line


def test_help_teaches(tmp_path: Path) -> None:
    text = concept("--help", cwd=tmp_path).stdout
    for command in (
        "refresh",
        "concepts",
        "find",
        "sample",
        "settings",
        "rename",
        "merge",
        "pin",
        "undo",
        "curation",
    ):
        assert command in text
    options = concept("refresh", "--help", cwd=tmp_path).stdout
    for option in (
        "--images",
        "--vocabulary",
        "--model",
        "--text-model",
        "--embeddings",
        "--home",
        "--set",
        "--json",
    ):
        assert option in options


def test_settings_show_where_a_value_comes_from(refreshed: Home, tmp_path: Path) -> None:
    text = concept("settings", "--home", refreshed.path, cwd=tmp_path, CONCEPT_LABELS__N_WORDS="7").stdout
    lines = {line.split()[0]: line.split()[1:3] for line in text.splitlines() if line.strip()}
    assert lines["labels.n_words"] == ["7", "environment"]
    assert lines["embedding.model"] == ["demo", "home"]
