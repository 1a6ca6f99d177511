"""The user interfaces of a home: Dagster's webserver and daemon, and MLflow's, as one group of servers."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from concept_assets import links
from concept_assets.environment import point_at, prepare
from concept_assets.servers import HOST, START_SECONDS, Servers, answers, check_ports
from concept_lib.errors import ConceptError
from concept_lib.settings import Tracking
from concept_lib.settings_sources import resolve
from concept_lib.storage import Home, canonical_json, write_file

LOCATION = "concept_atlas"  # as in workspace.yaml: sensors and schedules keep their state by it
# Nothing of ours is told to others, and MLflow need not run jobs of language models: that is seven processes.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
PYTHON = (sys.executable, "-P", "-m")  # -P: no module of the working folder shadows another


@contextmanager
def served(home: Home, port_base: int | None) -> Iterator[tuple[Servers, dict[str, str]]]:
    """Serve a home until the block is left.

    Parameters
    ----------
    home
        May be empty: its folder and tables are made.
    port_base
        Port of Dagster, and the next one is MLflow's; None for their usual ones.

    Yields
    ------
    servers : Servers
        All of them answer.
    addresses : dict
        The page to open, by the name of the interface.

    Raises
    ------
    ConceptError
        When a port is taken, the home is served already, or a server does not start.
    """
    tracking = resolve(home).settings.tracking
    dagster_port = links.DAGSTER_PORT if port_base is None else port_base
    mlflow_port = links.MLFLOW_PORT if port_base is None else port_base + 1
    elsewhere = links.is_server(tracking.uri)
    check_ports({"Dagster": dagster_port} | ({} if elsewhere else {"MLflow": mlflow_port}), "--port-base")
    addresses = {
        links.DAGSTER_URL: f"http://{HOST}:{dagster_port}",
        links.MLFLOW_URL: f"http://{HOST}:{mlflow_port}",
    }
    os.environ |= addresses | QUIET
    with ExitStack() as stack:
        stack.enter_context(_alone(home))
        write_file(home.addresses, canonical_json(addresses))
        stack.callback(home.addresses.unlink, missing_ok=True)
        experiment = _prepared(home, tracking)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="concept-ui-")))
        servers = stack.enter_context(Servers(home.logs, home.dagster, os.environ))
        if not elsewhere:
            _start_mlflow(servers, tracking.uri or f"sqlite:///{home.mlflow_database}", mlflow_port)
        _start_dagster(servers, scratch, dagster_port)
        if not elsewhere:
            servers.wait(partial(answers, mlflow_port, "/health"), START_SECONDS)
        yield (
            servers,
            {"Dagster": links.dagster_graph_url(), "MLflow": links.mlflow_table_url(tracking, experiment)},
        )


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One group of servers a home: two daemons would start each refresh twice."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(home.ui_lock, timeout=0):
            yield
    except Timeout as error:
        raise ConceptError(f"{home.path} is served by another concept ui; end that one first") from error


def _prepared(home: Home, tracking: Tracking) -> str | None:
    """Make what several servers would make at once; tell the experiment of the refreshes, where it is kept here.

    In a process of its own: Dagster and MLflow need not stay in the memory of one that only waits.
    """
    point_at(home)
    not_by_ctrl_c = (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(1, get_context("spawn"), signal.signal, not_by_ctrl_c) as pool:
        experiment: str | None = pool.submit(_make_stores, home.path, tracking).result()
        return experiment


def _make_stores(folder: Path, tracking: Tracking) -> str | None:
    from concept_assets.tracking.store import open_store, store_errors, trouble

    home = Home(folder)
    prepare(home)
    if links.is_server(tracking.uri):
        return None
    try:
        return open_store(home, tracking).experiment_id
    except store_errors() as error:
        raise ConceptError(trouble(home, tracking, error)) from None


def _start_mlflow(servers: Servers, store: str, port: int) -> None:
    """Start MLflow's UI; one process is enough for one person."""
    options = ("--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning")
    servers.start("MLflow", [*PYTHON, "mlflow", "ui", "--backend-store-uri", store, *options])


def _start_dagster(servers: Servers, scratch: Path, port: int) -> None:
    """Start one process with the definitions, then the webserver and the daemon, which ask it."""
    socket, workspace = scratch / "definitions", scratch / "workspace.yaml"
    code = Path(__file__).resolve().parents[1]
    module = ("-m", "concept_assets.definitions", "-d", str(code), "--location-name", LOCATION)
    quiet = ("--log-level", "warning")
    servers.start(
        "Dagster definitions", [*PYTHON, "dagster", "api", "grpc", "-s", str(socket), *module, *quiet]
    )
    servers.wait(socket.exists, START_SECONDS)
    location = {"socket": str(socket), "host": "localhost", "location_name": LOCATION}
    write_file(workspace, json.dumps({"load_from": [{"grpc_server": location}]}).encode(), durable=False)
    serve = ("-h", HOST, "-p", str(port), "-w", str(workspace))
    servers.start(
        "Dagster webserver", [*PYTHON, "dagster_webserver", *serve, "--dagster-log-level", "warning"]
    )
    servers.start("Dagster daemon", [*PYTHON, "dagster._daemon", "run", "-w", str(workspace), *quiet])
    servers.wait(partial(answers, port, "/server_info"), START_SECONDS)
