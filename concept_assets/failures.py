"""What went wrong, as Dagster shows it: the one line that says what to do comes first."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from concept_lib.errors import ConceptError
from concept_lib.storage import Home

FULL = {errno.ENOSPC, errno.EDQUOT}


class RefreshFailure(dg.Failure, dg.DagsterError):
    """A `ConceptError` in a run.

    A `dg.Failure` is shown as it is in a step, and a `dg.DagsterError` where a resource is made; anything else stands
    below a line of Dagster's own.
    """


@contextmanager
def in_one_line(home: Home) -> Iterator[None]:
    """Let what a user can mend reach Dagster as its one line; no step is tried again for it."""
    try:
        yield
    except ConceptError as error:
        raise RefreshFailure(str(error), allow_retries=False) from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        line = f"no space is left on the disk of {home.path}; free some, or try: concept clean"
        raise RefreshFailure(line, allow_retries=False) from error
