"""The `concept sql` command, and what it says where something is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from concept_lib.database.ask import ask
from concept_lib.errors import ConceptError
from concept_lib.storage import Home


def published(home: Home, question: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(question).fetchall()


def concept(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "concept_assets.cli", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "100"},
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_command_prints_whole_lines_csv_and_json(twice: Home) -> None:
    question = "SELECT concept_id, label, n_images FROM concepts ORDER BY concept_id"
    expected = [tuple(map(str, row)) for row in published(twice, question)]
    plain = concept("sql", question, "--home", twice.path)
    assert [tuple(line.split("\t")) for line in plain.stdout.splitlines()[1:]] == expected
    given = concept("sql", "--csv", "--home", twice.path, given=question)
    assert [tuple(row) for row in csv.reader(io.StringIO(given.stdout))][1:] == expected
    rows = json.loads(concept("sql", question, "--json", "--home", twice.path).stdout)
    assert [tuple(str(value) for value in row.values()) for row in rows] == expected


def test_every_statement_is_answered(twice: Home) -> None:
    both = "SELECT 1 AS a; SELECT 2 AS b"
    assert concept("sql", both, "--home", twice.path).stdout == "a\n1\n\nb\n2\n"
    assert concept("sql", both, "--json", "--home", twice.path).stdout.splitlines() == [
        '[{"a": 1}]',
        '[{"b": 2}]',
    ]
    refused = concept("sql", both, "--csv", "--home", twice.path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--csv takes one statement and there are 2" in refused.stderr


def on_a_terminal(home: Home, question: str, width: int) -> list[str]:
    """Lines that a person sees, without colours."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "concept_assets.cli", "sql", question, "--home", str(home.path)]
    environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
    subprocess.run(command, env=environment, stdin=theirs, stdout=theirs, timeout=120, check=True)
    os.close(theirs)
    said = bytearray()
    with suppress(OSError):  # Linux's way to say that the other side is closed
        while part := os.read(ours, 4096):
            said += part
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).splitlines()


def test_a_terminal_gets_what_fits_and_is_told_what_does_not(twice: Home) -> None:
    heading, *rows, left_out = on_a_terminal(twice, "FROM concepts ORDER BY concept_id", 150)
    shown = heading.split()
    assert shown[:2] == ["concept_id", "label"]
    listed = published(twice, "SELECT concept_id, label FROM concepts ORDER BY concept_id")
    assert [row.split()[:2] for row in rows] == [list(map(str, row)) for row in listed]
    missing = re.fullmatch(r"no room for (.*): name fewer columns, or take all with --csv", left_out)
    assert missing is not None
    every = [name for (name,) in published(twice, "SELECT column_name FROM (DESCRIBE concepts)")]
    assert shown + missing[1].split(", ") == every
    assert all(len(line) <= 150 for line in [heading, *rows])


def test_without_a_question_the_command_lists_what_there_is(twice: Home) -> None:
    listed = [line.split("\t") for line in concept("sql", "--home", twice.path).stdout.splitlines()]
    assert listed[0] == ["name", "kind", "what it is"]
    assert Counter(kind for _, kind, _ in listed[1:]) == {"view": 4, "table": 14, "macro": 7}
    assert all(comment for _, _, comment in listed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELEC 1", r'^syntax error at or near "SELEC" in line 1: SELEC 1$'),
        (
            "SELECT 1 FROM nothing",
            r"^there is no table nothing; there are concept_events, .*word_embeddings$",
        ),
        ("SELECT colour FROM images", r'"colour" not found.*; there are "'),
        (
            "FROM find_images('qwerty')",
            r'^"qwerty" is not in the vocabulary table; for any text use: concept find',
        ),
        ("DELETE FROM images", r"^only a refresh changes the database; to keep a result: COPY"),
        ("FROM 'absent.csv'", r"^No files found that match the pattern \"absent.csv\""),
        ("COPY (FROM images) TO '/absent/x.csv'", r"^Cannot open file .*absent"),
        ("/* nothing */", "nothing to ask"),
    ],
)
def test_what_is_wrong_with_a_question_is_said_in_one_line(twice: Home, text: str, message: str) -> None:
    with pytest.raises(ConceptError, match=message) as raised:
        ask(twice.database, text)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("arguments", [("sql",), ("concepts",), ("find", "beach"), ("refreshes",)])
def test_an_empty_home_says_how_to_make_the_first_refresh(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    said = concept(*arguments, "--home", tmp_path / "empty")
    assert said.returncode == 1
    assert said.stderr == (
        f"error: no database at {tmp_path}/empty/concepts.duckdb; run: concept refresh --images DIR\n"
    )


def test_a_database_that_somebody_writes_to_says_so(own_home: Home) -> None:
    own_home.database.chmod(0o644)
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(own_home.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"open\n"
        said = concept("sql", "SELECT 1", "--home", own_home.path)
        assert writer.stdin is not None
        writer.stdin.close()
    assert said.returncode == 1
    assert said.stderr == (
        f"error: {own_home.database} is open for writing in another program; close it there, or open it read-only\n"
    )
