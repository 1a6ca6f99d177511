"""The command, its table, and what it reads from a published database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from benchmarks import demo_model
from benchmarks.figures import judge_concept
from benchmarks.pipeline import Published, concept, concept_figures, judge, read_database
from benchmarks.report import ROWS, Row, concept_table, figure_table, limit_cell, report
from benchmarks.speed import last_line, peak_bytes
from concept_lib.database.publish import SCHEMA_VERSION
from concept_lib.errors import ConceptError

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.demo_model", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_help_says_what_it_takes() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("--photos", "--model", "--out", "../shared/photos"))


def test_a_missing_folder_is_one_line_that_says_what_to_give(tmp_path: Path) -> None:
    done = run("--photos", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        f"error: no folder {tmp_path / 'nothing'}: give the one of the test photographs with --photos DIR\n"
    )


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (None, "has no manifest.csv: give a folder whose manifest.csv has the columns file and label"),
        ("path,kind\na.jpg,apple\n", "lacks a column: it takes file and label"),
        ("file,label\na.jpg,apple\n", "names a.jpg, which is not there"),
        ("file,label\n", "names no picture"),
    ],
)
def test_an_unfit_folder_is_refused(manifest: str | None, says: str, tmp_path: Path, capsys) -> None:
    if manifest is not None:
        (tmp_path / "manifest.csv").write_text(manifest)
    with pytest.raises(SystemExit, match="1"):
        demo_model.main(["--photos", str(tmp_path)])
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "model", "says"),
    [
        ("apple", "./absent", "error: model folder not found: "),
        (
            "thingumajig",
            "demo",
            "error: thingumajig is a kind in manifest.csv and none of the bundled nouns\n",
        ),
    ],
)
def test_a_wrong_model_or_kind_is_refused_at_once(kind, model, says, tmp_path: Path, capsys) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "manifest.csv").write_text(f"file,label\na.jpg,{kind}\n")
    with pytest.raises(SystemExit, match="1"):
        demo_model.main(["--photos", str(tmp_path), "--model", model, "--out", str(tmp_path / "page.md")])
    said = capsys.readouterr().err
    assert said.startswith(says)
    assert said.count("\n") == 1
    assert not (tmp_path / "page.md").exists()


def test_the_page_is_printed_and_written(tmp_path: Path, monkeypatch, capfd) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a picture that is never decoded here")
    (tmp_path / "manifest.csv").write_text("file,label\na.jpg,apple\n")
    judged = [judge_concept("apple", ["apple"], named=True)]
    vectors = {"own": {"kmeans": 0.7}, "random weights": {"kmeans": 0.1}}
    monkeypatch.setattr("benchmarks.speed.measure_speed", lambda *_: {"peak_mb": 500.0})
    monkeypatch.setattr(demo_model, "_vector_figures", lambda *_: vectors)
    monkeypatch.setattr(demo_model, "_product_figures", lambda *_: ({"pipeline": 0.5}, judged))
    demo_model.main(["--photos", str(tmp_path), "--out", str(tmp_path / "page.md")])
    page, progress = capfd.readouterr()
    assert page == (tmp_path / "page.md").read_text()
    assert "| figure | demo | random weights | needed | hoped |" in page
    assert "| 0.700 | 0.100 | ≥ 0.620 met | ≥ 0.670 met |" in page
    assert "| 0.500 | – | ≥ 0.750 **short** | ≥ 0.850 **short** |" in page
    assert "on 1 photographs of 1 kinds" in page
    assert "measuring speed: done" in progress


def test_a_page_that_cannot_be_written_is_refused_at_once(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="1"):
        demo_model.main(["--photos", str(tmp_path), "--out", str(tmp_path / "no/page.md")])
    assert "give another file with --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "limit", "lower", "cell"),
    [
        (0.64, 0.64, False, "≥ 0.640 met"),
        (0.6399, 0.64, False, "≥ 0.640 **short**"),
        (999.0, 1000, True, "< 1000.000 met"),
        (1000.0, 1000, True, "< 1000.000 **short**"),
        (float("nan"), 0.5, False, "≥ 0.500 **short**"),
        (0.9, None, False, "–"),
        (None, 0.5, False, "≥ 0.500"),
    ],
)
def test_limits_are_marked(value: float | None, limit: float | None, lower: bool, cell: str) -> None:
    assert limit_cell(Row("x", "x", lower=lower), value, limit) == cell


def test_the_limits_are_those_of_the_issue() -> None:
    limits = {row.key: (row.needed, row.hoped) for row in ROWS if row.needed is not None}
    assert limits == {
        "kinds_top1": (0.64, 0.70),
        "kinds_top5": (0.93, None),
        "kmeans": (0.62, 0.67),
        "neighbour": (0.70, 0.75),
        "centroids": (0.86, 0.92),
        "hdbscan": (0.62, 0.67),
        "pipeline": (0.75, 0.85),
        "gallery_ari_7": (0.95, None),
        "gallery_named_7": (24, None),
        "gallery_ari_11": (0.95, None),
        "gallery_named_11": (24, None),
        "images_per_second": (400, None),
        "peak_mb": (1000, None),
    }
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_the_table_holds_the_first_column_against_the_limits() -> None:
    columns = {"demo": {"kmeans": 0.65, "peak_mb": 712.4}, "pixel PCA": {"kmeans": 0.9}}
    lines = figure_table(columns).splitlines()
    assert lines[0] == "| figure | demo | pixel PCA | needed | hoped |"
    assert len({line.count("|") for line in lines}) == 1
    assert (
        "| k-means AMI, true k, mean of 3 seeds | 0.650 | 0.900 | ≥ 0.620 met | ≥ 0.670 **short** |" in lines
    )
    assert "| peak memory of the process that embeds, MB | 712 | – | < 1000 met | – |" in lines


def test_the_page_lists_the_concepts() -> None:
    judged = [judge_concept("kiwi|fruit, lime", ["kiwi", "kiwi", "lime"], named=True)]
    assert concept_table(judged).splitlines()[2] == "| 3 | kiwi | 0.67 | kiwi\\|fruit, lime | no |"
    page = report({"demo": {}}, judged, model="demo (0123)", photographs="3 photographs of 2 kinds", load=0.5)
    assert page.startswith("# ")
    assert "model demo (0123), on 3 photographs of 2 kinds" in page
    assert page.count("| kiwi |") == 1
    assert "0.5 before speed was measured: **other programs were running" in page


def test_a_quiet_machine_is_not_called_busy() -> None:
    page = report({"demo": {}}, [], model="demo", photographs="no photographs", load=0.1)
    assert "0.1 before speed was measured. Python" in page


def make_database(path: Path) -> None:
    """The tables that are read, by hand: concept 4 of two apples, unnamed 6 of a pear, one outlier."""
    with duckdb.connect(str(path)) as database:
        database.execute(f"CREATE TABLE schema_info AS SELECT {SCHEMA_VERSION} AS schema_version")
        database.execute("CREATE TABLE images (image_id VARCHAR, path VARCHAR)")
        database.execute(
            "INSERT INTO images VALUES ('a', 'a.jpg'), ('b', 'b.jpg'), ('c', 'c.jpg'), ('d', 'd.jpg')"
        )
        database.execute("CREATE TABLE concept_images (image_id VARCHAR, concept_id INTEGER)")
        database.execute("INSERT INTO concept_images VALUES ('a', 4), ('b', 4), ('c', 6), ('d', -1)")
        database.execute("CREATE TABLE concepts (concept_id INTEGER, label VARCHAR, named BOOLEAN)")
        database.execute("INSERT INTO concepts VALUES (4, 'apple, pear', true), (6, 'unnamed', false)")


def test_concepts_are_read_from_the_database_and_judged(tmp_path: Path) -> None:
    make_database(tmp_path / "concepts.duckdb")
    published = read_database(tmp_path / "concepts.duckdb")
    members = {"a.jpg": 4, "b.jpg": 4, "c.jpg": 6, "d.jpg": -1}
    assert published == Published(members, {4: "apple, pear", 6: "unnamed"}, {4})
    judged = judge(published, {"a.jpg": "apple", "b.jpg": "apple", "c.jpg": "pear", "d.jpg": "pear"})
    assert [(row.n_images, row.kind, row.right) for row in judged] == [(2, "apple", True), (1, "pear", False)]
    assert concept_figures(judged, published) == {
        "pipeline": 0.5,
        "pipeline_concepts": 2.0,
        "pipeline_unnamed": 1.0,
    }
    assert concept_figures([], Published({}, {}, set()))["pipeline"] == 0


def test_a_failed_command_is_one_line_and_sees_no_settings_of_the_users(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CONCEPT_NO__SUCH", "1")  # would be refused as an unknown setting
    with pytest.raises(ConceptError, match=r"^concept refresh failed: error: .*absent") as caught:
        concept("refresh", "--home", tmp_path / "home", "--images", tmp_path / "absent", cwd=tmp_path)
    assert "\n" not in str(caught.value)
    assert "CONCEPT_NO__SUCH" in os.environ


def test_memory_is_that_of_this_process() -> None:
    before = peak_bytes()
    block = bytearray(64_000_000)
    assert peak_bytes() >= max(before, len(block))


def test_the_last_line_is_what_a_process_said_last() -> None:
    assert last_line("warning\nerror: x\n\n") == "error: x"
    assert last_line("") == "it said nothing"
