"""The command that fetches a public collection of photos, or the vectors made of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concept_assets.cli_options import DATA
from concept_lib.errors import ConceptError

if TYPE_CHECKING:
    from concept_assets.console import ProgressView

app = typer.Typer()
_MB = 1_000_000


@app.command()
def download(
    collection: Annotated[str, typer.Argument(metavar="unsplash-25k", help="A public collection of photos.")],
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Fetch the vectors that CLIP made of them, not the photos.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", metavar="DIR", help="Folder to fill; data/unsplash-25k by default."),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Folder of a mirror that has the same files.")
    ] = None,
) -> None:
    """Fetch 25,000 photos of Unsplash, or their vectors.

    A download that was cut short goes on where it ended. What is here already is checked by its recorded checksum.
    """
    from concept_assets.console import ProgressView
    from concept_lib.downloads.fetch import COLLECTIONS, filling

    if collection not in COLLECTIONS:
        raise ConceptError(f"no collection {collection}; there is: {', '.join(COLLECTIONS)}")
    source = COLLECTIONS[collection]
    base = (url or source.url).rstrip("/")
    into = folder or DATA / collection
    photos, archive, vectors = into / "photos", into / source.photos, into / source.vectors
    try:
        with ProgressView() as view, filling(into):
            digest = _fetch(view, base, vectors if embeddings else archive)
            n = 0 if embeddings else _unzip(view, archive, photos)
    except KeyboardInterrupt:
        typer.echo("interrupted: what came is kept, and the same command goes on from there", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"vectors in {vectors}, SHA-256 {digest}" if embeddings else f"{n:,} pictures in {photos}")
    if not photos.is_dir():
        elsewhere = ("--dir", into) if folder else ()
        typer.echo(f"the photos come with: {_command('download', collection, *elsewhere)}")
    given = ("--embeddings", vectors) if vectors.is_file() else ()
    typer.echo(f"next: {_command('refresh', '--images', photos, *given)}")


def _fetch(view: ProgressView, base: str, file: Path) -> str:
    """Fetch a file under its name, with a bar in megabytes."""
    from concept_lib.downloads.fetch import fetch

    here = file.is_file()
    view.started("download")
    digest = fetch(
        f"{base}/{file.name}",
        file,
        progress=lambda done, total: view.advanced("download", -(-done // _MB), -(-total // _MB)),
    )
    view.ended("download", reused=here)
    return digest


def _unzip(view: ProgressView, archive: Path, photos: Path) -> int:
    """Unpack the pictures, with a bar."""
    from concept_lib.downloads.unzip import unzip_pictures

    view.started("unzip")
    n = unzip_pictures(archive, photos, progress=lambda done, total: view.advanced("unzip", done, total))
    view.ended("unzip", reused=False)
    return n


def _command(*words: object) -> str:
    return shlex.join(["concept", *map(str, words)])
