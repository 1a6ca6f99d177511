"""Room on the disk: a refresh that would run out of it does not begin."""

from __future__ import annotations

import shutil
from pathlib import Path

from concept_lib.errors import ConceptError
from concept_lib.storage import Home

LEAST_FREE = 200_000_000  # bytes; a refresh writes its database beside the standing one
COPIES = 2  # of the standing database: the next one, and what the assets store


def require_room(home: Home) -> None:
    """Refuse to work on a disk that is nearly full.

    Raises
    ------
    ConceptError
        When less is free than a refresh may need.
    """
    standing = home.database.stat().st_size if home.database.is_file() else 0
    needed = LEAST_FREE + COPIES * standing
    free = free_bytes(home.path)
    if free < needed:
        raise ConceptError(
            f"the disk of {home.path} is nearly full: {free / 1e6:,.0f} MB are free and a refresh may need "
            f"{needed / 1e6:,.0f} MB; free some, or try: concept clean"
        )


def free_bytes(path: Path) -> int:
    """Free bytes of the disk on which a folder lies, or will."""
    return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.is_dir())).free
