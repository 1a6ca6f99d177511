"""Files opened with care: regular ones only, never beyond the folder, never more than a limit.

Imported by the decoding processes, so only the standard library is used here.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator

_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

LINK_OUT = "link out of the folder"
_SEEN_CONTROLS = "\u200c\u200d"  # joiners that scripts and emoji need


class UnusableError(Exception):
    """Why a file is not used: `status` (``'failed'`` or ``'skipped'``) and a one-line `reason`."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def cannot_read(error: OSError) -> UnusableError:
    """The system's error in words, without its path."""
    return UnusableError("failed", f"cannot be read: {error.strerror or type(error).__name__}")


def not_regular(mode: int) -> UnusableError:
    """What the file is instead, from its ``st_mode``."""
    return UnusableError(
        "skipped", f"not a regular file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"
    )


def over_limit(max_file_bytes: int) -> UnusableError:
    """The limit that the file is over, as in settings."""
    return UnusableError("skipped", f"over the {readable_bytes(max_file_bytes)} limit")


def readable_bytes(n_bytes: int) -> str:
    """Write a number of bytes in decimal units.

    Examples
    --------
    >>> readable_bytes(200_000_000), readable_bytes(1_500), readable_bytes(12)
    ('200 MB', '1.5 kB', '12 bytes')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if n_bytes >= size:
            return f"{n_bytes / size:g} {unit}"
    return f"{n_bytes} bytes"


def is_inside(real_path: bytes, real_root: bytes) -> bool:
    """Whether a resolved path lies in a resolved folder."""
    return real_path.startswith(real_root.rstrip(b"/") + b"/")


def resolve_link(path: bytes, real_root: bytes | None) -> bytes:
    """Where a path truly leads.

    Parameters
    ----------
    path
        Absolute path, perhaps through links.
    real_root
        Resolved folder that it may not leave; None allows no link as the last part.

    Raises
    ------
    UnusableError
        The path leads out of the folder, in a circle or nowhere.
    """
    if real_root is None:
        return path
    try:
        real = os.path.realpath(path, strict=True)
    except FileNotFoundError:
        reason = "link that leads nowhere" if os.path.islink(path) else "cannot be read: file is gone"  # noqa: PTH114
        raise UnusableError("failed", reason) from None
    except OSError as error:
        raise cannot_read(error) from None
    if not is_inside(real, real_root):
        raise UnusableError("skipped", LINK_OUT)
    return real


def regular_status(path: bytes) -> os.stat_result:
    """What the system says of a regular file, without opening it.

    Raises
    ------
    UnusableError
        It is something else (a link too), or not there.
    """
    try:
        status = os.lstat(path)
    except OSError as error:
        raise cannot_read(error) from None
    if not stat.S_ISREG(status.st_mode):
        raise not_regular(status.st_mode)
    return status


def open_regular(path: bytes) -> tuple[int, os.stat_result]:
    """Open a regular file, and nothing else, for reading.

    Should it turn into a link or a pipe meanwhile, opening still neither follows nor blocks.

    Returns
    -------
    tuple
        File descriptor, which the caller closes, and what ``fstat`` says of it.

    Raises
    ------
    UnusableError
        It is no regular file or cannot be opened.
    """
    regular_status(path)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise cannot_read(error) from None
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode):
        os.close(file)
        raise not_regular(status.st_mode)
    return file, status


def read_chunks(file: int, status: os.stat_result, max_file_bytes: int) -> Iterator[bytes]:
    """Read an open file piece by piece, at most `max_file_bytes` though it grow meanwhile.

    Raises
    ------
    UnusableError
        It is empty, over the limit, or reading fails.
    """
    if status.st_size > max_file_bytes:
        raise over_limit(max_file_bytes)
    n_read = 0
    while True:
        try:
            chunk = os.read(file, _CHUNK)
        except OSError as error:
            raise cannot_read(error) from None
        if not chunk:
            break
        n_read += len(chunk)
        if n_read > max_file_bytes:
            raise over_limit(max_file_bytes)
        yield chunk
    if n_read == 0:
        raise UnusableError("failed", "empty file")


def readable_path(path: bytes) -> str:
    r"""Write a path for people: bytes that are not UTF-8 as ``\xNN``, control characters escaped.

    Examples
    --------
    >>> print(readable_path(b"caf\xe9/new\nline.jpg"))
    caf\xe9/new\nline.jpg
    """
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(_escape(letter) for letter in text)


def _escape(letter: str) -> str:
    hidden = unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp") and letter not in _SEEN_CONTROLS
    return letter.encode("unicode_escape").decode() if hidden else letter
