"""Where the pages of a run are: links from one UI to the other."""

from __future__ import annotations

import os
from typing import Literal
from urllib.parse import quote, urlencode

from concept_lib.settings import Tracking

DAGSTER_PORT, MLFLOW_PORT = 3000, 5000
DAGSTER_URL, MLFLOW_URL = "CONCEPT_DAGSTER_URL", "CONCEPT_MLFLOW_URL"
"""Environment variables with the address of a UI that does not answer at its usual port; `concept ui` sets them."""


TRAINING = "workflowType=machine_learning"  # MLflow's pages for runs, and not those for agents


def dagster_run_url(run_id: str) -> str:
    """Page of a Dagster run.

    Examples
    --------
    >>> dagster_run_url("4c1d")
    'http://127.0.0.1:3000/runs/4c1d'
    """
    return f"{_base(DAGSTER_URL, DAGSTER_PORT)}/runs/{run_id}"


def dagster_graph_url() -> str:
    """Page of the graph of all assets.

    Examples
    --------
    >>> dagster_graph_url()
    'http://127.0.0.1:3000/asset-groups'
    """
    return f"{_base(DAGSTER_URL, DAGSTER_PORT)}/asset-groups"


def mlflow_run_url(section: Tracking, experiment_id: str, run_id: str) -> str:
    """Page of an MLflow run: at the tracking server of the settings, or at the MLflow UI of this machine.

    Examples
    --------
    >>> mlflow_run_url(Tracking(uri="http://tracking:5000/"), "1", "9f0e")
    'http://tracking:5000/#/experiments/1/runs/9f0e?workflowType=machine_learning'
    """
    return f"{_mlflow(section)}/#/experiments/{experiment_id}/runs/{run_id}?{TRAINING}"


def mlflow_table_url(section: Tracking, experiment_id: str | None) -> str:
    """Page with the table of refreshes; without an experiment's id, the list of experiments.

    Examples
    --------
    >>> mlflow_table_url(Tracking(), "1")
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning'
    """
    where = "" if experiment_id is None else f"/{experiment_id}/runs?{TRAINING}"
    return f"{_mlflow(section)}/#/experiments{where}"


def mlflow_runs_url(
    section: Tracking, experiment_id: str, view: Literal["CHART", "ARTIFACT"], search: str
) -> str:
    """Page of several MLflow runs side by side: their figures as charts, or their tables and collages.

    Examples
    --------
    >>> mlflow_runs_url(Tracking(uri="http://tracking:5000"), "1", "CHART", "tags.experiment = 'sizes'")[:58]
    'http://tracking:5000/#/experiments/1/runs?compareRunsMode='
    """
    query = {"compareRunsMode": view, "searchFilter": search, "workflowType": "machine_learning"}
    return f"{_mlflow(section)}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def is_server(uri: str | None) -> bool:
    """Whether a tracking URI is that of a server, which has its own UI."""
    return uri is not None and uri.startswith(("http://", "https://"))


def _mlflow(section: Tracking) -> str:
    if section.uri is not None and is_server(section.uri):
        return section.uri.rstrip("/")
    return _base(MLFLOW_URL, MLFLOW_PORT)


def _base(variable: str, port: int) -> str:
    return os.environ.get(variable, f"http://127.0.0.1:{port}").rstrip("/")
