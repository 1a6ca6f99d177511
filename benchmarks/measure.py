"""Seconds and memory of a step, its processes included."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from benchmarks.speed import peak_bytes

Figures: TypeAlias = dict[str, float]
"""``wall`` and ``cpu``, seconds; ``peak_mb``, millions of bytes."""


@contextmanager
def measured(into: dict[str, Figures], name: str) -> Iterator[None]:
    """Measure a step of this process and of all processes that it starts.

    ``peak_mb`` is the most memory that this process, and no other, held during the step, libraries included; where the
    kernel cannot forget an older peak, since the start of the process.

    Examples
    --------
    >>> found = {}
    >>> with measured(found, "sum"):
    ...     total = sum(range(1000))
    >>> sorted(found["sum"])
    ['cpu', 'peak_mb', 'wall']
    """
    forget_peak()
    wall, cpu = time.perf_counter(), cpu_seconds()
    yield
    into[name] = {
        "wall": time.perf_counter() - wall,
        "cpu": cpu_seconds() - cpu,
        "peak_mb": peak_bytes() / 1e6,
    }


def cpu_seconds() -> float:
    """CPU-seconds of this process and of all that it started: those that ended and, on Linux, those that live."""
    own = os.times()
    living = sum(sum(_times(fields)) for fields in _descendants())
    return own.user + own.system + own.children_user + own.children_system + living


def forget_peak() -> None:
    """Let the kernel's high-water mark of this process start anew, where it can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def load_average() -> float:
    """Processes that wanted a core during the last minute."""
    return os.getloadavg()[0]


def _descendants() -> list[list[str]]:
    """Fields after the name in ``/proc/<pid>/stat`` of each living descendant."""
    children: dict[int, list[tuple[int, list[str]]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append((int(folder.name), fields))
    found, parents = [], [os.getpid()]
    while parents:
        for pid, fields in children.get(parents.pop(), []):
            found.append(fields)
            parents.append(pid)
    return found


def _times(fields: list[str]) -> tuple[float, ...]:
    """Seconds in user and system mode, the process's own and those of its ended children."""
    return tuple(int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15])


def preload() -> None:
    """Import what both sides have loaded before they fit, so that a cold fit counts what is its own."""
    import pandas  # noqa: F401
    import sentence_transformers  # noqa: F401
