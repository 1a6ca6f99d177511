"""Whether a disk has room for what is about to be written."""

from __future__ import annotations

import shutil
from pathlib import Path

from concept_lib.errors import ConceptError

SPARE_BYTES = 64_000_000
"""For what is written beside the main thing: logs, pictures of a run, temporary files."""


def check_space(folder: Path, n_bytes: int, what: str) -> None:
    """See that there is room before anything is written.

    Parameters
    ----------
    folder
        On the disk in question.
    n_bytes
        What is to be written, in bytes; `SPARE_BYTES` are asked for besides.
    what
        What it is for.

    Raises
    ------
    ConceptError
        When there is less room.
    """
    needed, free = n_bytes + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ConceptError(
            f"the disk of {folder} is nearly full: {what} needs {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are "
            "free; make room, for instance with concept clean, and try again: what is published stands"
        )
