"""The ``concept experiment`` command."""

from __future__ import annotations

from typing import Annotated

import typer

from concept_assets.cli_options import DATA, HomeOption, JsonOption, console, print_json
from concept_lib.storage import Home

app = typer.Typer()


@app.command()
def experiment(
    more: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=V1,V2", help="More settings to try.")
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="KEY=V1,V2",
            help="A setting of reduction, clustering, exemplars or labels, and its values.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Name in MLflow. By default the settings that are tried."),
    ] = None,
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Try settings on the published images, and rank what they would find; nothing is published.

    For example: concept experiment --grid clustering.min_concept_size=10,20
    reduction.n_neighbors=10,15

    Each combination is a trial: an MLflow run with the figures and pictures
    that a refresh with these settings would have, below a run that ranks
    them. All have the tag experiment. A refresh may run meanwhile.

    The score is the mean silhouette of all images in the space of their
    vectors, with outliers counting 0: that space is the same for all trials,
    and leaving difficult images out gains nothing.
    """
    from concept_assets.console import ProgressView, ranking_view, stdout_to_stderr
    from concept_assets.trials import experiment as run
    from concept_lib.experiment.grid import parse_grid, refresh_command

    wanted = parse_grid([*(grid or []), *(more or [])])
    done = 0

    def progress(n: int, total: int) -> None:
        nonlocal done
        done = n
        view.advanced("experiment", n, total)

    try:
        with stdout_to_stderr(), ProgressView() as view:
            view.started("experiment")
            found = run(Home(home), wanted, name, progress, view.say)
            view.ended("experiment", reused=False)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; finished trials stay in MLflow: {done:,}", err=True)
        raise typer.Exit(130) from None
    if as_json:
        print_json(
            {"name": found.name, "mlflow_run_id": found.run_id, "mlflow": found.url, "trials": found.rows}
        )
    else:
        console().print(ranking_view(found.rows))
        console().print(f"\nMLflow run  {found.url} (concept ui serves it)", soft_wrap=True)
        console().print(f"the best    {refresh_command(found.best)}", soft_wrap=True)
