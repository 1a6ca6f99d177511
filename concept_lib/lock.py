"""The lock on a home: one refresh at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from concept_lib.errors import ConceptError
from concept_lib.storage import Home, write_file


@contextmanager
def locked(
    home: Home,
    who: str,
    *,
    file: Path | None = None,
    timeout_s: float = 0,
    on_wait: Callable[[str], None] = lambda _: None,
) -> Iterator[None]:
    """Hold the home while a refresh runs; the lock goes with the process, however it ends.

    Parameters
    ----------
    home
        Made where it is missing.
    who
        What a waiting process is told.
    file
        Another lock of the home than the one of its refreshes.
    timeout_s
        Seconds to wait for another holder.
    on_wait
        Called once with the holder's name before waiting.

    Raises
    ------
    ConceptError
        When another process still holds the home after `timeout_s`.
    """
    from filelock import FileLock, Timeout

    home.path.mkdir(parents=True, exist_ok=True)
    file = file or home.lock_file
    holder = file.with_suffix(".holder")
    # A singleton counts its holders: the command line and Dagster's resource share it in one process.
    lock = FileLock(file, is_singleton=True)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        name = holder.read_text() if holder.is_file() else "another process"
        on_wait(name)
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise ConceptError(f"{home.path} is held by {name}; wait until it ends, or end it") from error
    try:
        write_file(holder, f"{who} (process {os.getpid()})".encode(), durable=False)
        yield
    finally:
        lock.release()


def is_held(file: Path) -> bool:
    """Whether any process holds a lock."""
    from filelock import FileLock, Timeout

    if not file.is_file():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True
