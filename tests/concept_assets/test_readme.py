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


@pytest.mark.parametrize("code", blocks("python"))
def test_python_examples_run(
    refreshed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    (tmp_path / "data").symlink_to(refreshed.path)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    names: dict[str, object] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), names)
    for line in printed.getvalue().splitlines():
        assert Path(line.rpartition("shown in ")[2]).is_file()
    assert len(names["concepts"]) == len(printed.getvalue().splitlines()) > 0
    assert len(names["exemplars"]) == 3


def test_files_that_the_readme_names_are_there() -> None:
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README.read_text(encoding="utf-8")):
        assert (README.parent / name).is_file(), name
