"""``concept ui``: the user interfaces of a home, for as long as the command runs."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from concept_assets.cli_options import DATA, HomeOption
from concept_lib.storage import Home

app = typer.Typer()


@app.command()
def ui(
    home: HomeOption = DATA,
    port_base: Annotated[
        int | None,
        typer.Option(
            "--port-base",
            metavar="N",
            min=1024,
            max=65534,
            help="Dagster listens at port N, MLflow at N + 1; by default at 3000 and 5000.",
        ),
    ] = None,
) -> None:
    """Serve Dagster and MLflow until Ctrl-C; meanwhile the home follows its folder by itself.

    Nobody but this machine reaches them. What the servers say is in HOME/logs.
    """
    from rich.console import Console

    from concept_assets.ui import served

    folder, shown = Home(home), Console(stderr=True)
    with _ended_by_signals(), ExitStack() as stack:
        with shown.status("starting Dagster and MLflow"):
            servers, addresses = stack.enter_context(served(folder, port_base))
        for name, address in addresses.items():
            typer.echo(f"{name:<9}{address}")
        typer.echo(_next_step(home, folder))
        shown.print("Ctrl-C ends them.", style="dim")
        servers.wait()


def _next_step(given: Path, home: Home) -> str:
    """How to ask in SQL; on a home without a refresh, how to make the first."""
    option = "" if given == DATA else f" --home {shlex.quote(str(given))}"
    if home.database.is_file():
        return f"{'SQL':<9}concept sql{option}"
    return f"No refresh yet; make the first with: concept refresh --images DIR{option}"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ctrl-C, or SIGTERM, leaves the block; more of them change nothing."""
    asked = (signal.SIGINT, signal.SIGTERM)

    def leave(*_: object) -> None:
        for each in asked:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    for each in asked:
        signal.signal(each, leave)
    with suppress(KeyboardInterrupt):
        yield
