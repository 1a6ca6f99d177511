"""The ``concept`` command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from concept_assets import cli_curation, cli_download, cli_experiment, cli_past, cli_register, cli_sql, cli_ui
from concept_assets.cli_options import (
    DATA,
    HomeOption,
    JsonOption,
    console,
    print_json,
    print_refresh,
    shown_refresh,
)
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

app = typer.Typer(
    name="concept",
    help="A folder of images and a list of nouns go in; named visual concepts come out, and stay fresh as both "
    "change.\n\nStart with: concept sample data/sample, then: concept refresh --images data/sample --model demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from concept_lib.database.publish import product_version

        typer.echo(f"concept-atlas {product_version()}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


@app.command()
def refresh(
    images: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder of images. Without one: the last, or HOME/sample."),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="nouns|wordnet|none|FILE", help="Words that may name a concept (.txt, .csv, .parquet)."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH|demo", help="Any sentence-transformers CLIP model; demo needs no download."
        ),
    ] = None,
    text_model: Annotated[
        str | None, typer.Option(metavar="NAME|PATH", help="Another text tower of the same space.")
    ] = None,
    embeddings: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Vectors made elsewhere (.npz, .parquet, .pkl), instead of a model's."
        ),
    ] = None,
    home: HomeOption = DATA,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Any setting; an empty value takes one back."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every file again, though size and time are the same.")
    ] = False,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Publish though most images or a folder are gone.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the concepts up to date with the folder, the words and the settings.

    Only what changed is computed. What the options set is kept in the home for later refreshes; see: concept
    settings.
    """
    from concept_assets.refresh import refresh as run

    named = {
        "images.folder": images,
        "vocabulary.source": vocabulary,
        "embedding.model": model,
        "embedding.text_model": text_model,
        "embedding.embeddings": embeddings,
    }
    flags = _flags({key: value for key, value in named.items() if value is not None}, set_ or [])
    once = {"verify": verify, "accept_loss": accept_loss}
    with shown_refresh() as view:
        result = run(Home(home), flags, view, view.say, once)
    if as_json:
        print_json(result)
    else:
        print_refresh(Home(home), result)


@app.command()
def concepts(home: HomeOption = DATA, as_json: JsonOption = False) -> None:
    """List the concepts of the last refresh, largest first."""
    from concept_assets.console import concept_view
    from concept_lib.database.queries import concept_table

    rows = concept_table(Home(home).database)
    if as_json:
        print_json(rows)
    elif rows:
        console().print(concept_view(rows))
    else:
        console().print("No concepts yet: too few images are alike. See: concept refresh --help")


@app.command()
def find(
    text: Annotated[str, typer.Argument(help="Any text.")],
    top: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    images: Annotated[bool, typer.Option("--images", help="Find images instead of concepts.")] = False,
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Find the concepts, or the images, nearest to a text."""
    from concept_assets.console import found_view, stdout_to_stderr
    from concept_assets.search import search

    with stdout_to_stderr():
        rows = search(Home(home), text, top=top, images=images)
    if as_json:
        print_json(rows)
    else:
        console().print(found_view(rows))


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to fill.")],
    count: Annotated[int, typer.Option(min=1, help="Images of each kind.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other pictures.")] = 7,
) -> None:
    """Render the sample gallery: 24 kinds of scene, drawn by this program."""
    from concept_assets.console import ProgressView
    from concept_lib.images.sample import KINDS, write_gallery

    with ProgressView() as view:
        view.started("sample")
        labels = write_gallery(
            folder, count=count, seed=seed, progress=lambda done, total: view.advanced("sample", done, total)
        )
        view.ended("sample", reused=False)
    typer.echo(f"{len(KINDS) * count:,} images of {len(KINDS)} kinds in {folder}; their kinds in {labels}")


@app.command()
def settings(home: HomeOption = DATA, as_json: JsonOption = False) -> None:
    """Show every setting, its value, where it comes from, and what it means."""
    from concept_assets.console import settings_view
    from concept_lib.settings_sources import resolve

    found = resolve(Home(home))
    if as_json:
        print_json(found.settings.model_dump())
    else:
        console().print(settings_view(found))


def _flags(named: dict[str, str], assignments: list[str]) -> dict[str, str]:
    """Join the options and the ``--set`` assignments; relative paths start at the working folder."""
    from concept_lib.settings_sources import absolute_path

    flags = dict(named)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConceptError(
                f"--set {assignment}: write SECTION.KEY=VALUE, such as reduction.n_neighbors=20"
            )
        flags[key.strip()] = text.strip()
    return {key: str(absolute_path(key, text, Path.cwd())) for key, text in flags.items()}


app.add_typer(cli_download.app)
app.add_typer(cli_curation.app)
app.add_typer(cli_past.app)
app.add_typer(cli_ui.app)
app.add_typer(cli_sql.app)
app.add_typer(cli_experiment.app)
app.add_typer(cli_register.app)


def main() -> None:
    """Run the command; what a user can mend is one line on stderr."""
    try:
        app()
    except (ConceptError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
