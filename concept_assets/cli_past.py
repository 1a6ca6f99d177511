"""Commands on the past of a home: what there was, back to it, and what must not stay."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from concept_assets.cli_options import DATA, HomeOption, JsonOption, console, print_json, print_refresh
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

app = typer.Typer()
PANEL = "The past"


@app.command(rich_help_panel=PANEL)
def refreshes(home: HomeOption = DATA, as_json: JsonOption = False) -> None:
    """List the refreshes, newest first, and the states that one can go back to.

    A state that is kept can be published again; see: concept rollback --help
    """
    from concept_assets.console import refresh_view
    from concept_assets.undo import refreshes as list_refreshes

    rows = list_refreshes(Home(home))
    if as_json:
        print_json(rows)
    else:
        console().print(refresh_view(rows))


@app.command(rich_help_panel=PANEL)
def compare(
    before: Annotated[int, typer.Argument(metavar="A", help="Number of a refresh; see: concept refreshes")],
    after: Annotated[int, typer.Argument(metavar="B", help="Number of another one.")],
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened to each concept between two refreshes; -1 are the outliers."""
    from concept_assets.console import comparison_view
    from concept_lib.database.queries import changes_between, refresh_table

    known = {row["refresh_id"] for row in refresh_table(Home(home).database)}
    for number in (before, after):
        if number not in known:
            raise ConceptError(f"there is no refresh {number}; see: concept refreshes")
    rows = changes_between(Home(home).database, before, after)
    if as_json:
        print_json(rows)
    else:
        console().print(comparison_view(rows))


@app.command(rich_help_panel=PANEL)
def history(
    concept_id: Annotated[int, typer.Argument(metavar="ID", help="A concept, living or dead.")],
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Tell the life of one concept, refresh by refresh."""
    from concept_assets.console import life_view
    from concept_lib.database.queries import concept_past

    rows = concept_past(Home(home).database, concept_id)
    if not rows:
        raise ConceptError(f"there never was a concept {concept_id}; see: concept concepts")
    if as_json:
        print_json(rows)
    else:
        console().print(life_view(rows))


@app.command(rich_help_panel=PANEL)
def rollback(
    refresh_id: Annotated[
        int, typer.Argument(metavar="N", help="Number of a refresh; see: concept refreshes")
    ],
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Go back to the state of refresh N.

    It is published as a new refresh, so that this can be undone as well. Concepts that had died since come back with
    their old ids. Automatic refreshes pause, lest they undo it: see concept resume. The folder of images and the
    settings stay as they are, and the next refresh goes by them.
    """
    from concept_assets.console import ProgressView, stdout_to_stderr
    from concept_assets.undo import rollback as run

    with stdout_to_stderr(), ProgressView() as view:
        result = run(Home(home), refresh_id, view, view.say)
    if as_json:
        print_json(result)
    else:
        print_refresh(Home(home), result)
        console().print("Automatic refreshes are paused; to take them up again: concept resume")


@app.command(rich_help_panel=PANEL)
def resume(home: HomeOption = DATA) -> None:
    """Take automatic refreshes up again after a rollback.

    The next one brings the concepts up to date with the folder, the words and the settings of then.
    """
    from concept_assets.undo import resume as run

    since = run(Home(home), _say)
    if since is None:
        typer.echo("Automatic refreshes are not paused.")
    else:
        typer.echo(f"Automatic refreshes go on; they were paused {since}.")


@app.command(rich_help_panel=PANEL)
def rebuild(home: HomeOption = DATA) -> None:
    """Make a lost or broken concepts.duckdb anew, just as it was.

    It is made of what the last refresh stored; nothing is computed, and no refresh is added.
    """
    from concept_assets.oblivion import rebuild as run

    refresh_id = run(Home(home), _say)
    typer.echo(f"{Home(home).database} shows refresh {refresh_id} again")


@app.command(rich_help_panel=PANEL)
def clean(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    home: HomeOption = DATA,
) -> None:
    """Free the space of what neither the present nor a kept earlier state needs.

    Thumbnails and cached vectors of images that left, vectors of models that are no longer used, and what killed runs
    left half-made. The next refresh finds all that it needs.
    """
    from concept_assets.console import freed_lines
    from concept_assets.oblivion import clean as run

    for line in freed_lines(run(Home(home), _say, dry_run=dry_run), dry_run=dry_run):
        typer.echo(line)


@app.command(rich_help_panel=PANEL)
def forget(
    image: Annotated[str, typer.Argument(help="Its id, the beginning of its id, or its path as shown.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    home: HomeOption = DATA,
) -> None:
    """Purge every copy of an image, and never take it in again.

    Its vectors and thumbnail go, the collages and earlier states that show it, the vectors that it had a part in, and
    its pictures in MLflow. Its id stays on a list, so that its files are skipped; they themselves stay where they
    are. A line taken out of HOME/forgotten lets its image in again.
    """
    from concept_assets.console import ProgressView, stdout_to_stderr
    from concept_assets.oblivion import forget as run

    if not yes and not sys.stdin.isatty():
        raise ConceptError(
            "concept forget asks before it removes anything; where nobody can answer, add --yes"
        )
    with stdout_to_stderr(), ProgressView() as view:
        lines = run(Home(home), image, lambda text: yes or _agreed(text), view, view.say)
    for line in lines or ["Nothing was changed."]:
        typer.echo(line)


def _agreed(text: str) -> bool:
    return typer.confirm(f"{text}\nGo on?", err=True)


def _say(line: str) -> None:
    typer.echo(line, err=True)
