"""``concept sql``: questions to the published database, for those without a DuckDB client."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import typer

from concept_assets.cli_options import DATA, HomeOption, JsonOption, console, print_json
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

if TYPE_CHECKING:
    from concept_lib.database.ask import Answer

app = typer.Typer()
SHOWN = 100  # rows on a terminal
ITEMS = 9  # of a list on a terminal
WIDE, GAP = 30, 2  # characters: what a long text may claim at least, and the space between columns


@app.command()
def sql(
    statement: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One statement or several; or give them on stdin.")
    ] = None,
    home: HomeOption = DATA,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout instead of a table.")] = False,
) -> None:
    """Ask the published database in SQL; without a question, list what there is to ask.

    A terminal gets a table, a file or a pipe gets a line a row with tabs between its values. Nothing can be changed;
    COPY (SELECT ...) TO 'result.parquet' keeps a result.
    """
    from concept_lib.database.ask import ask, contents

    if as_json and as_csv:
        raise ConceptError("--json and --csv exclude each other; give one of them")
    text = statement if statement is not None or sys.stdin.isatty() else sys.stdin.read()
    answers = ask(Home(home).database, text) if text and text.strip() else [contents(Home(home).database)]
    if as_csv and len(answers) > 1:
        raise ConceptError(f"--csv takes one statement and there are {len(answers)}; ask them one by one")
    for number, found in enumerate(answers):
        if as_json:
            print_json([dict(zip(found.names, row, strict=True)) for row in _rows(found)])
        elif as_csv:
            csv.writer(sys.stdout, lineterminator="\n").writerows(_lines(found))
        else:
            _print(found, after_another=number > 0)


def _print(found: Answer, *, after_another: bool) -> None:
    """A table on a terminal, else a line a row; answers stand apart by an empty line."""
    if after_another:
        typer.echo()
    if sys.stdout.isatty():
        _print_table(found)
        return
    for line in _lines(found):
        typer.echo("\t".join(map(_one_line, line)))


def _rows(found: Answer) -> Iterator[list[Any]]:
    """Rows in which bytes, such as true names of files, are text."""
    for row in found.rows:
        yield [
            value.decode(errors="backslashreplace") if isinstance(value, bytes) else value for value in row
        ]


def _lines(found: Answer) -> Iterator[list[str]]:
    """Names of the columns, then each row; NULL is empty."""
    yield list(found.names)
    for row in _rows(found):
        yield ["" if value is None else str(value) for value in row]


def _one_line(text: str) -> str:
    """A value that breaks neither its line nor its column."""
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _print_table(found: Answer) -> None:
    """The first rows and as many columns as there is room for, on a terminal; what is left out is told."""
    from rich.table import Table
    from rich.text import Text

    out, rows = console(), list(_rows(found))[:SHOWN]
    columns = [[_shown(row[number]) for row in rows] for number in range(len(found.names))]
    widths = [
        GAP + min(WIDE, max(map(len, [name, *cells])))
        for name, cells in zip(found.names, columns, strict=True)
    ]
    fitting = max(1, sum(width <= out.width for width in accumulate(widths)))
    view = Table(box=None, header_style="bold", pad_edge=False, padding=(0, GAP, 0, 0))
    for number, name in enumerate(found.names[:fitting]):
        numeric = all(isinstance(row[number], int | float | None) for row in rows)
        view.add_column(Text(name), justify="right" if numeric else "left", no_wrap=numeric)
    for cells in zip(*columns[:fitting], strict=True):
        view.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
    out.print(view)
    if left_out := found.names[fitting:]:
        out.print(
            f"no room for {', '.join(left_out)}: name fewer columns, or take all with --csv", style="dim"
        )
    if (more := len(found.rows) - SHOWN) > 0:
        out.print(f"{more:,} more rows: set a LIMIT, or take all with --csv", style="dim")


def _shown(value: object) -> str:
    """A value for people: six digits of a number, nothing for NULL, and of a long list its beginning."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        more = f", … {len(value):,} in all" if len(value) > ITEMS else ""
        return ", ".join(map(_shown, value[:ITEMS])) + more
    return "" if value is None else _one_line(str(value))
