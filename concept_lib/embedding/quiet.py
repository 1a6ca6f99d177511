"""Keep the model libraries from writing over our own output."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_LIBRARIES = ("huggingface_hub", "sentence_transformers", "transformers")


@contextmanager
def quiet_libraries() -> Iterator[list[str]]:
    """Hide their bars and hold back their messages, which go into the list that this yields.

    Import what is to be quiet before: transformers sets up its logging when it is first imported.
    """
    collector = _Collector()
    with ExitStack() as stack:
        for library in _LIBRARIES:
            logger = logging.getLogger(library)
            stack.callback(_restore, logger, logger.handlers, logger.propagate)
            logger.handlers, logger.propagate = [collector], False
        _hide_bars(stack)
        yield collector.messages


def _restore(logger: logging.Logger, handlers: list[logging.Handler], propagate: bool) -> None:
    logger.handlers, logger.propagate = handlers, propagate


def _hide_bars(stack: ExitStack) -> None:
    """Switch off the progress bars that are on, until the stack unwinds."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if not are_progress_bars_disabled():
        disable_progress_bars()
        stack.callback(enable_progress_bars)
    if "transformers" in sys.modules:
        from transformers.utils import logging as bars

        if bars.is_progress_bar_enabled():
            bars.disable_progress_bar()  # type: ignore[no-untyped-call]
            stack.callback(bars.enable_progress_bar)


class _Collector(logging.Handler):
    """Keeps messages in a list."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
