"""Every example of the README runs."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import duckdb
import pytest

from concept_lib.storage import Home

README = Path(__file__).resolve().parents[2] / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


STATEMENTS = [part.strip() for block in blocks("sql") for part in block.split(";") if part.strip()]


def test_there_are_examples() -> None:
    assert len(STATEMENTS) >= 6
    assert len(blocks("python")) >= 1


@pytest.mark.parametrize("statement", STATEMENTS)
def test_sql_examples_run(refreshed: Home, statement: str) -> None:
    with duckdb.connect(str(refreshed.database), read_only=True) as connection:
        rows = connection.execute(statement).fetchall()
    assert rows or "problem_files" in statement


def printed_by(
    code: str, home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, dict[str, object]]:
    (folder / "data").symlink_to(home.path)
    monkeypatch.chdir(folder)
    printed = io.StringIO()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    return printed.getvalue(), names


def test_the_example_of_concept_model_runs(
    refreshed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [block for block in blocks("python") if "ConceptModel" in block]
    printed, _ = printed_by(code, refreshed, tmp_path, monkeypatch)
    assert printed.startswith("beach, ")
    assert printed.count("beach/") == 3


def test_the_example_of_duckdb_runs(refreshed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = [block for block in blocks("python") if "duckdb.connect" in block]
    printed, names = printed_by(code, refreshed, tmp_path, monkeypatch)
    lines = printed.splitlines()
    for line in lines:
        assert Path(line.rpartition("shown in ")[2]).is_file()
    assert len(names["concepts"]) == len(lines) > 0
    assert len(names["exemplars"]) == 3


def test_files_that_the_readme_names_are_there() -> None:
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / name).is_file(), name
