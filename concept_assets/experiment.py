"""The job that tries settings and publishes nothing."""

from typing import Any

import dagster as dg
from pydantic import Field

from concept_assets.resources import HomeResource
from concept_assets.tracking.notes import escaped, table
from concept_assets.trials import experiment
from concept_assets.watch import EXPERIMENT_JOB
from concept_lib.experiment.ranking import RULE, ranking_texts

SMALL_GRID = {"clustering.min_concept_size": [10, 20]}


class ExperimentConfig(dg.Config):
    """What an experiment tries."""

    grid: dict[str, list[Any]] = Field(
        default=SMALL_GRID,
        description="Values to try by SECTION.KEY; each combination is a trial. Settings of reduction, "
        "clustering, exemplars and labels can be tried; `concept settings` lists them.",
    )
    name: str = Field(
        default="", description="Name of the experiment in MLflow; by default the settings that are tried."
    )


@dg.op(
    description="Tries each combination of the settings on the published images and logs a run for each to MLflow.",
    tags={"dagster/compute_kind": "mlflow"},
    out=dg.Out(dg.Nothing),
)
def try_settings(context: dg.OpExecutionContext, config: ExperimentConfig, storage: HomeResource) -> None:
    """Run an experiment and say where its ranking is."""

    def progress(done: int, total: int) -> None:
        context.log.info(f"{done:,} of {total:,} trials")

    grid = {key: [str(value) for value in values] for key, values in config.grid.items()}
    found = experiment(storage.open(), grid, config.name or None, progress, context.log.info)
    context.log.info(f"the ranking is in MLflow: {found.url}")
    headings, cells = ranking_texts(found.rows)
    context.add_output_metadata(
        {
            "mlflow_run": dg.MetadataValue.url(found.url),
            "trials": len(found.rows),
            "ranking": dg.MetadataValue.md(
                f"{table(headings, [[*map(escaped, row)] for row in cells])}\n\n{RULE}"
            ),
        }
    )


@dg.job(
    name=EXPERIMENT_JOB,
    config=dg.RunConfig(ops={"try_settings": ExperimentConfig()}),  # what the launchpad opens with
    # Under the name of the resource that a refresh takes its lock with; this one takes none.
    resource_defs={"storage": HomeResource()},
    description="Try settings on the published images: what would a refresh with them find? The trials are MLflow "
    "runs with the tag `experiment`, ranked by the run above them. Publishes nothing, and a refresh may run meanwhile.",
)
def experiment_job() -> None:
    """Try settings, and publish nothing."""
    try_settings()
