"""A file of the web, whole or absent: fetched piece by piece where the line breaks, and known by its checksum."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from concept_lib.downloads.web import LostError, OtherFileError, Source, ask, piece, read_some
from concept_lib.errors import ConceptError
from concept_lib.progress import Progress
from concept_lib.storage import canonical_json, file_digest, sync_folder, write_file

SILENCE_S = 30.0  # without a connection, or without a byte
TRIES = 3  # in a row that bring nothing
PAUSE_S = 2.0  # between tries


@dataclass(frozen=True, slots=True)
class Collection:
    """Where a public collection of photos lies: a base URL, and there an archive and a file of vectors."""

    url: str
    photos: str
    vectors: str


COLLECTIONS = {
    "unsplash-25k": Collection(
        "http://sbert.net/datasets", "unsplash-25k-photos.zip", "unsplash-25k-photos-embeddings.pkl"
    )
}


def fetch(
    url: str,
    file: Path,
    *,
    progress: Progress | None = None,
    silence_s: float = SILENCE_S,
    pause_s: float = PAUSE_S,
) -> str:
    """Fetch a file unless it is here, and record its checksum beside it in ``<file>.sha256``.

    What came of it stays in ``<file>.part`` however a download ends, and the next one goes on from there, if the
    server can and its file is the same.

    Parameters
    ----------
    url
        Of the file.
    file
        Where it goes.
    progress
        Called with bytes.
    silence_s
        How long to wait for a connection, or for the next byte.
    pause_s
        Seconds between tries.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    ConceptError
        When the file cannot be had, does not fit on the disk, or is another one than the recorded checksum says.
    """
    if not url.startswith(("http://", "https://")):
        raise ConceptError(f"{url}: files are fetched over http or https")
    if file.is_file():
        return _recorded(file, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    most, fruitless = 0, 0
    while True:
        try:
            _fetch_more(url, part, progress, silence_s)
        except LostError as error:
            fruitless = 0 if _size(part) > most else fruitless + 1
            most = max(most, _size(part))
            if fruitless >= TRIES:
                raise ConceptError(f"{url}: {error}; {_remedy(part)}") from error
            time.sleep(pause_s)
        else:
            return _finish(part, file)


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Keep a folder to one download at a time.

    Raises
    ------
    ConceptError
        When another process is at it.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".download.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise ConceptError(f"{folder}: another download is filling it; wait until it ends") from error
    try:
        yield
    finally:
        lock.release()


def _fetch_more(url: str, part: Path, progress: Progress | None, silence_s: float) -> None:
    """Append what is missing, or begin anew where that cannot be."""
    known = _source(part)
    have = _size(part) if known.url == url and known.validator else 0
    if have and have == known.size:
        return
    try:
        response = ask(url, have, known.validator, silence_s)
        start, size = piece(response, have, known)
    except OtherFileError:
        part.unlink(missing_ok=True)
        raise
    with response:
        if not start:
            part.unlink(missing_ok=True)  # before the note says what it is not
            headers = response.headers
            _write_source(part, Source(url, size, headers["ETag"], headers["Last-Modified"]))
        _check_room(part, (size or 0) - start)
        with part.open("ab" if start else "wb") as out:
            have = start
            while have != size and (data := read_some(response, size and size - have, silence_s)):
                have += out.write(data)
                if progress:
                    progress(have, size or have)
            out.flush()
            os.fsync(out.fileno())
    if size is not None and have < size:
        raise LostError(f"the connection ended after {have:,} of {size:,} bytes")


def _remedy(part: Path) -> str:
    kept = _size(part)
    if kept and _source(part).validator:
        return f"the first {kept / 1e6:,.1f} MB are kept, and the same command goes on from there"
    return "try again later, or give the address of a mirror with --url"


def _check_room(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if missing > free:
        raise ConceptError(
            f"{part.parent}: {missing / 1e6:,.0f} MB are to come and {free / 1e6:,.0f} MB are free; make room, or give "
            "another folder with --dir"
        )


def _finish(part: Path, file: Path) -> str:
    """Give a whole part its name."""
    digest = _recorded(part, file)
    part.replace(file)
    sync_folder(file.parent)
    _note(part).unlink(missing_ok=True)
    return digest


def _recorded(held: Path, file: Path) -> str:
    """Checksum of what is held under a name, which is recorded or must be the recorded one."""
    checksum = file.with_name(f"{file.name}.sha256")
    digest = file_digest(held)
    if not checksum.is_file():
        write_file(checksum, f"{digest}  {file.name}\n".encode())
    elif checksum.read_text(errors="replace").split()[:1] != [digest]:
        if held != file:
            held.unlink()
        raise ConceptError(
            f"{file}: is not the file whose checksum {checksum.name} holds; remove "
            + (
                "the file to fetch it anew"
                if held == file
                else "that record if the server's file may have changed"
            )
        )
    return digest


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_source(part: Path, source: Source) -> None:
    write_file(_note(part), canonical_json(asdict(source)))


def _source(part: Path) -> Source:
    """What a part is the beginning of; nothing that is known where the note is absent or damaged."""
    try:
        return Source(**json.loads(_note(part).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return Source("")
