"""The ``concept register`` command."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from concept_assets.cli_options import DATA, HomeOption, JsonOption, print_json
from concept_lib.storage import Home

if TYPE_CHECKING:
    from concept_assets.registry.register import Registered

app = typer.Typer()


@app.command()
def register(
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Registered model that gets a version.")
    ] = "concepts",
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Register the published concepts in MLflow, as a model that can be served.

    The model answers base64 images and search terms. The alias champion
    moves to the new version when the refresh passes its quality checks. A
    refresh is registered once.
    """
    from concept_assets.console import stdout_to_stderr
    from concept_assets.registry.register import register as run

    with stdout_to_stderr():
        done = run(Home(home), name, lambda line: typer.echo(line, err=True))
    if as_json:
        print_json({**asdict(done), "serve": serve_command(done)})
    else:
        typer.echo("\n".join(_lines(done)))


def serve_command(done: Registered) -> str:
    """Serves the champion or, where there is none, the version, on this machine alone."""
    which = f"/{done.version}" if done.champion is None else "@champion"
    model = shlex.quote(f"models:/{done.name}{which}")
    uri = shlex.quote(done.uri)
    return f"MLFLOW_TRACKING_URI={uri} mlflow models serve -m {model} --env-manager local --port 5001"


def _lines(done: Registered) -> list[str]:
    what = f"version {done.version} of {done.name}"
    first = f"refresh {done.refresh_id} is {what}"
    if not done.is_new:
        first = f"{what} holds refresh {done.refresh_id} already; nothing was registered"
    stands = "there is no champion" if done.champion is None else f"champion is version {done.champion}"
    if done.failed:
        stands += f"; the refresh does not pass {', '.join(done.failed)}"
    return [first, stands, f"serve it: {serve_command(done)}"]
