"""What the modules of the ``concept`` command share: options, and how they print."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from concept_lib.storage import Home

if TYPE_CHECKING:
    from concept_assets.console import ProgressView

HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="CONCEPT_HOME", help="Folder that holds everything kept.", metavar="DIR"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of a table.")]
DATA = Path("data")
UNCUT = 10_000  # characters


def print_json(value: object) -> None:
    """One line of JSON on stdout; what JSON does not know is written as text."""
    typer.echo(json.dumps(value, ensure_ascii=True, default=str))


def print_refresh(home: Home, result: Mapping[str, Any]) -> None:
    """The concepts, and what a refresh did."""
    from concept_assets.console import concept_view, refresh_lines
    from concept_lib.database.queries import concept_table

    out = console()
    rows = concept_table(home.database)
    if rows:
        out.print(concept_view(rows))
        out.print()
    for line in refresh_lines(result):
        out.print(line, soft_wrap=True)


def console() -> Any:  # noqa: ANN401 - rich is imported late
    """Where tables are printed."""
    from rich.console import Console

    # Where no person watches, nothing is cut to fit.
    return Console(highlight=False, width=None if sys.stdout.isatty() else UNCUT)


@contextmanager
def shown_refresh() -> Iterator[ProgressView]:
    """Where a refresh shows its progress: on stderr alone; an interrupted one ends in one line."""
    from concept_assets.console import ProgressView, stdout_to_stderr

    try:
        with stdout_to_stderr(), ProgressView() as view:
            yield view
    except KeyboardInterrupt:
        line = "interrupted: what is published stands; the same command again goes on from here"
        typer.echo(line, err=True)
        raise typer.Exit(130) from None
