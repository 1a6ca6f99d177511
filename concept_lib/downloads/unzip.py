"""Pictures out of an archive of somebody else, and nothing else, and nowhere else."""

from __future__ import annotations

import io
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from concept_lib.errors import ConceptError
from concept_lib.progress import Progress
from concept_lib.storage import write_file

MAX_PICTURES = 200_000
MAX_BYTES = 50_000_000_000
MAX_DIRECTORY_BYTES = 1 << 25  # about a hundred bytes a member

_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"}
_CHUNK = 1 << 20
_ENCRYPTED = 1  # bit of a member's flags
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# What zipfile raises on broken data.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    NotImplementedError,
    ValueError,
)


class _Bounded(io.BufferedReader):
    """A file that an archive cannot lead to where it does not reach, nor to more than memory is for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise zipfile.BadZipFile("its directory is too large")
        return super().read(size)

    def seek(self, target: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_SET and target < 0:
            raise zipfile.BadZipFile("a place before its beginning")
        return super().seek(target, whence)


def unzip_pictures(archive: Path, folder: Path, *, progress: Progress | None = None) -> int:
    """Unpack the pictures of an archive into a folder; those that are there already, whole, stay.

    Parameters
    ----------
    archive
        A ``.zip`` file.
    folder
        Where the pictures go, under their names in the archive.
    progress
        Called with pictures.

    Returns
    -------
    int
        How many pictures the archive has.

    Raises
    ------
    ConceptError
        When the archive is damaged, too large for the disk, or has a member that would land outside the folder or
        is a link; nothing is written then, but what stood before the damage.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "a.zip", "w") as archive:
    ...     archive.writestr("cat.jpg", b"a picture")
    ...     archive.writestr("read.me", b"no picture")
    >>> unzip_pictures(folder / "a.zip", folder / "photos"), [path.name for path in (folder / "photos").iterdir()]
    (1, ['cat.jpg'])
    """
    try:
        with _Bounded(archive.open("rb", buffering=0)) as file, zipfile.ZipFile(file) as opened:
            members = _pictures(archive, opened.infolist())
            _check_room(folder, members)
            for done, member in enumerate(members, start=1):
                target = folder / member.filename
                if not _is_here(target, member):
                    write_file(target, partial(_copy, opened, member), durable=False)
                if progress:
                    progress(done, len(members))
    except _BROKEN as error:
        raise ConceptError(f"{archive}: is damaged: remove it to fetch it anew") from error
    return len(members)


def _pictures(archive: Path, members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """Members that are pictures, once none of all is found to be hostile."""
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for member in members:
        path = PurePosixPath(member.filename)
        if wrong := _wrong(member):
            raise ConceptError(f"{archive}: refused, nothing unpacked: {member.orig_filename[:80]!a} {wrong}")
        if not member.is_dir() and path.suffix.lower() in _SUFFIXES and not _is_hidden(path):
            if path in found:
                raise ConceptError(f"{archive}: refused, nothing unpacked: {str(path)[:80]!a} occurs twice")
            found[path] = member
    n_bytes = sum(member.file_size for member in found.values())
    if len(found) > MAX_PICTURES or n_bytes > MAX_BYTES:
        raise ConceptError(
            f"{archive}: refused, nothing unpacked: {len(found):,} pictures of {n_bytes / 1e9:,.1f} GB; at most "
            f"{MAX_PICTURES:,} and {MAX_BYTES / 1e9:,.0f} GB are taken"
        )
    if not found:
        raise ConceptError(f"{archive}: holds no pictures")
    return list(found.values())


def _wrong(member: zipfile.ZipInfo) -> str | None:
    """What is hostile, or beyond this program, about a member."""
    path = PureWindowsPath(member.orig_filename)  # takes both kinds of slash
    kind = stat.S_IFMT(member.external_attr >> 16)
    if path.anchor or ".." in path.parts or "\\" in member.orig_filename or "\0" in member.orig_filename:
        return "would land outside the folder"
    if kind not in {0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG}:
        return "is a link or a device"
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
        return "is encrypted, or compressed in an unusual way"
    return None


def _is_hidden(path: PurePosixPath) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)


def _check_room(folder: Path, members: Sequence[zipfile.ZipInfo]) -> None:
    """The pictures that are missing fit on the disk."""
    missing = sum(member.file_size for member in members if not _has_size(folder / member.filename, member))
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if missing > free:
        raise ConceptError(
            f"{folder}: the pictures take {missing / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free; make room, or "
            "give another folder with --dir"
        )


def _has_size(target: Path, member: zipfile.ZipInfo) -> bool:
    try:
        found = target.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == member.file_size


def _is_here(target: Path, member: zipfile.ZipInfo) -> bool:
    """The file has the member's content, not just its size: a power cut can leave zeros."""
    if not _has_size(target, member):
        return False
    checksum = 0
    with target.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == member.CRC


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, out: BinaryIO) -> None:
    """Unpack one member; zipfile gives no byte beyond the size that was told, and compares the checksum."""
    with opened.open(member) as source:
        shutil.copyfileobj(source, out, _CHUNK)
