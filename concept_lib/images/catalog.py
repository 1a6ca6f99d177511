"""What is in the folder: every file that claims to be a picture, by path, with the hash of its bytes."""

from __future__ import annotations

import builtins
import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from concept_lib.images.files import (
    UnusableError,
    open_regular,
    read_chunks,
    readable_path,
    regular_status,
    resolve_link,
)
from concept_lib.images.walk import Found, join, resolve_folder, walk
from concept_lib.progress import Progress

# Formats that are decoded, and others that people take for pictures: those fail and say so.
_EXTENSIONS = frozenset(
    b".jpg .jpeg .jpe .jfif .png .apng .webp .gif .bmp .dib .tif .tiff .avif .avifs "
    b".heic .heif .hif .jp2 .j2k .jpx .jpf .jxl .psd .tga .ico .icns .cur .pcx .sgi .dds .blp .fli .flc "
    b".pbm .pgm .ppm .pnm .pfm .eps .svg .svgz .cr2 .cr3 .nef .arw .dng .orf .rw2 .raf".split()
)
_SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
_ISO_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_BMP_START = 18
_SIGNATURE_BYTES = 32
FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file that claims to be a picture.

    Attributes
    ----------
    path_bytes
        Path in the folder, as the system has it; parts are separated by ``/``.
    path
        The same for people: bytes that are not UTF-8 and control characters are escaped.
    status
        ``'usable'`` (as far as is known without decoding), ``'failed'`` or ``'skipped'``.
    reason
        One line; None exactly when usable.
    image_id
        SHA-256 of the bytes, hex; None when they were not read.
    bytes, mtime_ns, inode
        Size, time of change and inode; of what a link leads to.
    """

    path_bytes: builtins.bytes
    path: str
    status: str
    reason: str | None
    image_id: str | None
    bytes: int | None
    mtime_ns: int
    inode: int


@dataclass(slots=True)
class Catalog:
    """What a scan found: `files` in byte order of their paths, and how many other files there are."""

    files: list[FileRecord] = field(default_factory=list)
    n_other: int = 0


def scan(
    folder: Path,
    *,
    max_file_bytes: int,
    known: Mapping[bytes, FileRecord] | None = None,
    exclude: Path | None = None,
    forgotten: Collection[str] = (),
    progress: Progress | None = None,
) -> Catalog:
    """Find the picture files of a folder and hash their bytes.

    A file counts when its name or its first bytes say that it is a picture. Folders whose name begins
    with a dot (``.git``, ``.thumbnails``) are not entered, and the ``._`` files that macOS writes beside
    pictures do not count; other names with a dot do.

    Only regular files are opened. A link to a file inside the folder is a file with a path of its own.
    A link to a folder inside is not entered, for what lies there has its own path, and so no loop of
    links is ever walked. A link out of the folder is skipped: neither a file nor a folder outside is
    opened. The folder itself may be a link.

    Parameters
    ----------
    folder
        The folder.
    max_file_bytes
        A larger file is skipped unread.
    known
        Records of the last scan by path: a file with the same size, time and inode keeps its hash.
    exclude
        A folder inside that is not entered: the home, lest it feed on its own thumbnails.
    forgotten
        Ids of contents that are skipped wherever they turn up.
    progress
        Called with files looked at and in all.

    Raises
    ------
    ConceptError
        There is no such folder, or it cannot be read.
    """
    root = resolve_folder(folder)
    found = list(walk(root, exclude))
    catalog = Catalog()
    for n_done, entry in enumerate(found, start=1):
        record = _examine(root, entry, max_file_bytes, known or {})
        if record is None:
            catalog.n_other += 1
        elif record.image_id in forgotten:
            catalog.files.append(replace(record, status="skipped", reason=FORGOTTEN))
        else:
            catalog.files.append(record)
        if progress is not None:
            progress(n_done, len(found))
    catalog.files.sort(key=lambda record: record.path_bytes)
    return catalog


def folder_version(catalog: Catalog) -> str:
    """SHA-256, hex, over the path, the content and the status of each file; a touched file changes nothing.

    Examples
    --------
    >>> before = FileRecord(b"a.jpg", "a.jpg", "usable", None, "0" * 64, 12, 1, 7)
    >>> touched = FileRecord(b"a.jpg", "a.jpg", "usable", None, "0" * 64, 12, 2, 8)
    >>> folder_version(Catalog([before])) == folder_version(Catalog([touched], n_other=3))
    True
    """
    digest = hashlib.sha256()
    for record in sorted(catalog.files, key=lambda record: record.path_bytes):
        content = (record.image_id or "-").encode()
        digest.update(
            b"%d:%b %b %b\n" % (len(record.path_bytes), record.path_bytes, content, record.status.encode())
        )
    return digest.hexdigest()


def _examine(
    root: bytes, found: Found, max_file_bytes: int, known: Mapping[bytes, FileRecord]
) -> FileRecord | None:
    """The record of one path; None when it does not claim to be a picture."""
    if found.problem is not None:
        return _unusable(found.path, found.problem, None)
    claims = _claims_by_name(found.path)
    status = None
    try:
        path = join(root, found.path)
        real = resolve_link(path, root) if found.is_link else path
        status = regular_status(real)
        last = known.get(found.path)
        if last is not None and _is_unchanged(last, status, max_file_bytes):
            return _usable(found.path, status, last.image_id, status.st_size)
        file, status = open_regular(real)
        try:
            claims = claims or has_signature(os.pread(file, _SIGNATURE_BYTES, 0))
            return _usable(found.path, status, *_hash(file, status, max_file_bytes)) if claims else None
        finally:
            os.close(file)
    except UnusableError as problem:
        return _unusable(found.path, problem, status) if claims else None


def _hash(file: int, status: os.stat_result, max_file_bytes: int) -> tuple[str, int]:
    """Hash and number of the bytes that were read."""
    digest, n_bytes = hashlib.sha256(), 0
    for chunk in read_chunks(file, status, max_file_bytes):
        digest.update(chunk)
        n_bytes += len(chunk)
    return digest.hexdigest(), n_bytes


def _is_unchanged(last: FileRecord, status: os.stat_result, max_file_bytes: int) -> bool:
    same = (last.bytes, last.mtime_ns, last.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)
    return same and last.image_id is not None and status.st_size <= max_file_bytes


def _usable(path: bytes, status: os.stat_result, image_id: str | None, n_bytes: int) -> FileRecord:
    times = (status.st_mtime_ns, status.st_ino)
    return FileRecord(path, readable_path(path), "usable", None, image_id, n_bytes, *times)


def _unusable(path: bytes, problem: UnusableError, status: os.stat_result | None) -> FileRecord:
    is_file = status is not None and stat.S_ISREG(status.st_mode)
    size, *times = (status.st_size, status.st_mtime_ns, status.st_ino) if status and is_file else (None, 0, 0)
    return FileRecord(path, readable_path(path), problem.status, problem.reason, None, size, *times)


def _claims_by_name(path: bytes) -> bool:
    name = path.rpartition(b"/")[2]
    extension = os.path.splitext(name)[1].lower()  # noqa: PTH122 - pathlib takes no bytes
    return extension in _EXTENSIONS and not name.startswith(b"._")


def has_signature(start: bytes) -> bool:
    r"""Whether a file that begins so is a picture.

    Examples
    --------
    >>> has_signature(b"\xff\xd8\xff\xe0"), has_signature(b"RIFF\0\0\0\0WAVE"), has_signature(b"BM, he said")
    (True, False, False)
    """
    if start.startswith(_SIGNATURES):
        return True
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    if start[4:8] == b"ftyp":
        return start[8:12] in _ISO_BRANDS
    if start[:2] == b"BM" and len(start) >= _BMP_START:
        return int.from_bytes(start[14:18], "little") in _BMP_HEADER_SIZES
    return False
