"""Where this user's machine keeps what can be made again."""

from __future__ import annotations

import os
from pathlib import Path

from concept_lib.errors import ConceptError


def machine_cache() -> Path:
    """Folder for what any home of this user can make again and share: converted models, compiled code.

    ``CONCEPT_CACHE``, or where the system keeps a user's caches.

    Examples
    --------
    >>> machine_cache().is_absolute()
    True
    """
    from platformdirs import user_cache_path

    named = os.environ.get("CONCEPT_CACHE")
    return Path(named).expanduser().absolute() if named else user_cache_path("concept-atlas", appauthor=False)


def private_folder(folder: Path) -> Path:
    """Make a folder into which nobody but this user writes: what it holds is run.

    Parameters
    ----------
    folder
        Made where it is missing.

    Raises
    ------
    ConceptError
        When it cannot be made, or belongs to another user, or others may write into it.

    Examples
    --------
    >>> import tempfile
    >>> oct(private_folder(Path(tempfile.mkdtemp()) / "code").stat().st_mode & 0o777)
    '0o700'
    """
    remedy = "set NUMBA_CACHE_DIR to a folder of your own"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConceptError(f"cannot keep compiled code in {folder} ({error.strerror}): {remedy}") from error
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ConceptError(f"compiled code in {folder} may be written by other users: {remedy}")
    return folder
