"""Servers that live and end together: when one ends, or the command that started them, all do."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from concept_lib.errors import ConceptError

HOST = "127.0.0.1"
START_SECONDS = 180.0  # a busy machine takes a minute to import everything
LOOK_SECONDS = 0.1
HIGHEST_PORT = 65535

# Reads the number of a process group, then waits. When the pipe closes, whatever closed it, the group is asked to
# end, and after three seconds it is killed.
GUARD = """
trap '' HUP INT TERM
read -r group || exit
read -r _
kill -s TERM -- "-$group"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.2; kill -s 0 -- "-$group" || exit; done
kill -s KILL -- "-$group"
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A process of the group.

    Parameters
    ----------
    name
        What a person calls it.
    process
        Child of this process.
    log
        Where it says what it has to say.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Servers:
    """A process group of servers, ended as a whole when the block is left, or when this process dies.

    Parameters
    ----------
    logs
        Folder of their logs; the ones of the last time are replaced.
    cwd
        Where they run.
    environment
        All of their environment variables.
    """

    def __init__(self, logs: Path, cwd: Path, environment: Mapping[str, str]) -> None:
        self._logs, self._cwd, self._environment = logs, cwd, dict(environment)
        self._running: list[Server] = []

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._guard = subprocess.Popen(  # noqa: S603 - the script is ours
            ["/bin/sh", "-c", GUARD],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # no signal for us or for the group reaches it
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        while self._guard.poll() is None:
            for server in self._running:
                server.process.poll()  # a child that ended stays in its group until it is waited for
            time.sleep(LOOK_SECONDS)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one more server."""
        log = self._logs / f"{name.lower().replace(' ', '-')}.log"
        leader = self._running[0].process.pid if self._running else 0
        with log.open("wb") as said:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                cwd=self._cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                process_group=leader,
            )
        if not self._running and self._guard.stdin is not None:
            self._guard.stdin.write(f"{process.pid}\n".encode())
            self._guard.stdin.flush()
        self._running.append(Server(name, process, log))

    def wait(self, answers: Callable[[], bool] = lambda: False, timeout_s: float | None = None) -> None:
        """Wait until something answers; for ever, without an end that is given.

        Raises
        ------
        ConceptError
            When a server ends meanwhile, or nothing answers in time; in one line.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not answers():
            for server in self._running:
                if server.process.poll() is not None:
                    raise ConceptError(_last_words(server))
            if deadline is not None and time.monotonic() > deadline:
                last = self._running[-1]
                raise ConceptError(
                    f"{last.name} does not answer after {timeout_s:g} s; its log is {last.log}"
                )
            time.sleep(LOOK_SECONDS)


def answers(port: int, path: str) -> bool:
    """Whether a server on this machine answers a request without an error."""
    with closing(HTTPConnection(HOST, port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 400
        except (OSError, HTTPException):
            return False


def check_ports(wanted: Mapping[str, int], option: str) -> None:
    """See that nobody listens where a server is to.

    Parameters
    ----------
    wanted
        Port by server.
    option
        What to give for others; it takes the first of as many ports in a row.

    Raises
    ------
    ConceptError
        When a port is taken.
    """
    for name, port in wanted.items():
        if is_taken(port):
            row = range(len(wanted))
            other = next(
                base for base in range(3100, HIGHEST_PORT, 100) if not any(is_taken(base + i) for i in row)
            )
            raise ConceptError(
                f"port {port} is taken, so {name} cannot use it; take others with: {option} {other}"
            )


def is_taken(port: int) -> bool:
    """Whether another process listens on a port of this machine."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError:
            return True
    return False


def _last_words(server: Server) -> str:
    """What a server that ended said last."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", server.log.read_text(encoding="utf-8", errors="replace"))
    said = [line.strip() for line in text.splitlines() if line.strip()]
    code = server.process.returncode
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    words = f"said last: {said[-1]}" if said else "said nothing"
    return f"{server.name} {how} and {words}; its log is {server.log}"
