"""Pictures on the page of an asset: they lie in Dagster's event log, and are taken out of it again."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import dagster as dg
from PIL import Image

from concept_lib.errors import ConceptError
from concept_lib.storage import Home

PREVIEW = "preview"
BLANK = "*removed: an image was forgotten*"
_PICTURE = re.compile(r"!\[[^\]]*\]\(data:image/[a-z]+;base64,[A-Za-z0-9+/=]+\)")
_RUN = re.compile(r'"run_id": ?"([^"]+)"')
_COLUMNS = {
    "event_logs": "event",
    "asset_keys": "last_materialization",
}  # where Dagster keeps an event as JSON
BUSY_SECONDS = 60.0  # a webserver that stands open reads the same files


def preview(picture: bytes, what: str) -> dg.MarkdownMetadataValue:
    """Show a PNG or a WebP on the page of an asset.

    Examples
    --------
    >>> preview(b"RIFF", "sizes").md_str
    '![sizes](data:image/webp;base64,UklGRg==)'
    """
    kind = "png" if picture.startswith(b"\x89PNG") else "webp"
    return dg.MetadataValue.md(
        f"![{what}](data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')})"
    )


def readable(path: Path) -> Image.Image | None:
    """A picture for a preview; None where it cannot be read, for a preview stops no refresh."""
    with suppress(OSError), Image.open(path) as picture:
        return picture.convert("RGB")
    return None


def remove_previews(home: Home, keep: str | None) -> None:
    """Take the pictures out of the event log of every run but one, and leave nothing of them on disk.

    Dagster keeps each event in the file of its run, in an index of all runs, and beside the asset's key. Wiping an
    asset there leaves the events of its runs; so the pictures are replaced in place, and the files are packed anew, for
    SQLite leaves what was overwritten in free pages and in its log.

    Parameters
    ----------
    home
        Whose event log it is.
    keep
        The run whose pictures stay.

    Raises
    ------
    ConceptError
        When another program does not let go of the event log.
    """
    for file in sorted((home.dagster / "history" / "runs").glob("*.db")):
        if file.stem == keep:
            continue
        try:
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
                busy = _remove(connection, _blank_unless(keep))
        except sqlite3.OperationalError:
            busy = True
        if busy:
            raise ConceptError(f"{file} is in use; end Dagster's UI and daemon, and forget the image again")


def _remove(connection: sqlite3.Connection, blank: Callable[[str | None], str | None]) -> bool:
    """Take the pictures out of one file, and tell whether a reader still keeps its log."""
    connection.create_function("blank", 1, blank, deterministic=True)
    for table, column in _COLUMNS.items():
        connection.execute(
            f"UPDATE {table} SET {column} = blank({column}) "  # noqa: S608 - names of our own
            f"WHERE {column} IS NOT blank({column})"
        )
    connection.execute("VACUUM")
    return bool(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])


def _blank_unless(keep: str | None) -> Callable[[str | None], str | None]:
    """Make the function that blanks the pictures of an event, unless it is of the run to keep."""

    def blank(event: str | None) -> str | None:
        if event is None or keep in _RUN.findall(event):
            return event
        return _PICTURE.sub(BLANK, event)

    return blank
