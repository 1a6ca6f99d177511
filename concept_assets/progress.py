"""Progress of long steps: a few lines in the run's log, and a live bar where a command line listens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

import dagster as dg

from concept_lib.progress import Progress

SECONDS_BETWEEN_LINES = 15.0


class Listener(Protocol):
    """Whoever wants to show how a run of this process gets on."""

    def started(self, asset: str) -> None:
        """An asset began."""

    def advanced(self, asset: str, done: int, total: int) -> None:
        """An asset got on."""

    def ended(self, asset: str, *, reused: bool) -> None:
        """An asset is done."""

    def warned(self, line: str) -> None:
        """Something went wrong that did no harm."""


_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell a listener of the runs in this process."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def listener() -> Listener | None:
    """Whoever listens to this process, if anyone."""
    return _listener.get()


def warn(context: dg.AssetExecutionContext, line: str) -> None:
    """Say in the run's log, and to whoever listens, what went wrong without doing harm."""
    context.log.warning(line)
    if (audience := listener()) is not None:
        audience.warned(line)


def reporter(context: dg.AssetExecutionContext, what: str) -> Progress:
    """Make the ``progress(done, total)`` of one step; its log gets a line each quarter of a minute."""
    asset = context.asset_key.to_user_string()
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if (audience := listener()) is not None:
            audience.advanced(asset, done, total)
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            context.log.info(f"{done:,} of {total:,} {what}")

    return report
