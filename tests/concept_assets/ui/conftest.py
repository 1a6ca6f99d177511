"""The real servers of a home, as `concept ui` starts them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from concept_lib.storage import Home

CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass
class Served:
    """A home under `concept ui`."""

    home: Home
    process: subprocess.Popen[str]
    lines: list[str]
    port: int

    def get(self, address: str, question: object = None) -> Any:
        """Ask a server of it in JSON."""
        body = None if question is None else json.dumps(question).encode()
        request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def graphql(self, query: str) -> Any:
        """Ask Dagster."""
        answer = self.get(f"http://127.0.0.1:{self.port}/graphql", {"query": query})
        assert "errors" not in answer, answer
        return answer["data"]

    def mlflow(self, path: str, question: object = None) -> Any:
        """Ask MLflow."""
        return self.get(f"http://127.0.0.1:{self.port + 1}/api/2.0/mlflow/{path}", question)


Serve = Callable[[Home], AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Start the real `concept ui` on a home, from another folder and on free ports."""

    @contextlib.contextmanager
    def started(home: Home) -> Iterator[Served]:
        port = free_ports()
        home.path.mkdir(parents=True, exist_ok=True)
        known = {
            name: value
            for name, value in os.environ.items()
            if name == "CONCEPT_CACHE" or not name.startswith(("CONCEPT_", "DAGSTER_"))
        }
        command = [
            sys.executable,
            "-m",
            "concept_assets.cli",
            "ui",
            "--home",
            home.path,
            "--port-base",
            str(port),
        ]
        errors = home.path.parent / "ui.err"
        with (
            errors.open("w") as said,
            subprocess.Popen(
                command,
                cwd=home.path.parent,
                env={**known, "PYTHONPATH": str(CHECKOUT)},
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                lines = [process.stdout.readline().rstrip("\n") for _ in range(3)]
                assert all(lines), errors.read_text()
                yield Served(home, process, lines, port)
            finally:
                process.terminate()

    return started


def free_ports() -> int:
    """The first of two ports in a row on which nobody listens."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return int(port)


Serve = Callable[[Home], AbstractContextManager[Served]]


@pytest.fixture(scope="session")
def served(
    twice: Home,
    run: Callable[..., Any],
    copy_home: Callable[..., Home],
    serve: Serve,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """A home under `concept ui`, whose third refresh was made meanwhile. Read it."""
    home = copy_home(tmp_path_factory.mktemp("served") / "own", twice)
    home.paused.write_text("while the tests look at it")  # the daemon must not make a fourth
    with serve(home) as found:
        saved = dict(os.environ)
        with contextlib.chdir(home.path.parent):
            run(home, {"labels.n_words": "4"})
        os.environ.clear()
        os.environ.update(saved)
        yield found
