"""The way through a folder of images, and a stamp of it that costs no reading."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from concept_lib.errors import ConceptError
from concept_lib.images.files import LINK_OUT, UnusableError, cannot_read, is_inside


@dataclass(frozen=True, slots=True)
class Found:
    """A path that the walk came upon: a file, a link, or a folder that is in the way."""

    path: bytes  # in the folder
    is_link: bool = False
    problem: UnusableError | None = None


def folder_stamp(folder: Path, *, exclude: Path | None = None) -> str:
    """Hash of the path, size, time of change and inode of each file: it changes while a folder is being filled.

    No file is opened, so this is cheap enough to look every few seconds; that a stamp changed does not say that a
    content did.

    Parameters
    ----------
    folder
        The folder.
    exclude
        A folder inside that is not entered.

    Raises
    ------
    ConceptError
        There is no such folder, or it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> before = folder_stamp(folder)
    >>> _ = (folder / "new.jpg").write_bytes(b"half of a picture")
    >>> folder_stamp(folder) == before
    False
    """
    root = resolve_folder(folder)
    lines = []
    for found in walk(root, exclude):
        try:
            status = os.stat(join(root, found.path))  # noqa: PTH116 - pathlib takes no bytes
            facts = b"%d %d %d" % (status.st_size, status.st_mtime_ns, status.st_ino)
        except OSError as error:
            facts = b"error %d" % (error.errno or 0)
        lines.append(b"%d:%b %b\n" % (len(found.path), found.path, facts))
    return hashlib.sha256(b"".join(sorted(lines))).hexdigest()


def resolve_folder(folder: Path) -> bytes:
    """Where the folder of images truly lies.

    Raises
    ------
    ConceptError
        There is no such folder, or it cannot be read.
    """
    try:
        root = os.fsencode(folder.resolve(strict=True))
        os.scandir(root).close()
    except FileNotFoundError:
        raise ConceptError(
            f"no such folder of images: {folder}; mount it, or give another with: concept refresh --images DIR"
        ) from None
    except NotADirectoryError:
        raise ConceptError(f"not a folder of images but a file: {folder}") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        reason = getattr(error, "strerror", None) or "loop of links"
        raise ConceptError(f"the folder of images cannot be read: {folder}: {reason}") from None
    return root


def walk(root: bytes, exclude: Path | None) -> Iterator[Found]:
    """Every entry but the folders that can be entered; without recursion, however deep they nest.

    Parameters
    ----------
    root
        Resolved folder.
    exclude
        A folder inside that is not entered.
    """
    home = exclude.stat() if exclude is not None and exclude.is_dir() else None
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(join(root, folder)) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Found(folder, problem=UnusableError("failed", f"folder {cannot_read(error).reason}"))
            continue
        for entry in listed:
            path = join(folder, entry.name)
            if not entry.is_symlink():
                if not entry.is_dir(follow_symlinks=False):
                    yield Found(path)
                elif not entry.name.startswith(b".") and not _is_same(entry, home):
                    folders.append(path)
            elif not os.path.isdir(entry.path):  # noqa: PTH112 - pathlib takes no bytes
                yield Found(path, is_link=True)
            elif not is_inside(os.path.realpath(entry.path) + b"/", root):
                yield Found(path, problem=UnusableError("skipped", LINK_OUT))


def join(folder: bytes, name: bytes) -> bytes:
    """Path of a name in a folder."""
    return os.path.join(folder, name)  # noqa: PTH118 - pathlib takes no bytes


def _is_same(entry: os.DirEntry[bytes], other: os.stat_result | None) -> bool:
    try:
        return other is not None and os.path.samestat(entry.stat(follow_symlinks=False), other)
    except OSError:  # a path that is too long: listing the folder will say so
        return False
