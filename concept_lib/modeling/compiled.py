"""Code that numba compiled for umap-learn, kept from one process to the next."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, TypeVar

from concept_lib.caches import machine_cache, private_folder

Result = TypeVar("Result")

COMPILED_BY = ("llvmlite", "numba", "pynndescent", "umap-learn")
"""numba looks at the file of a function, and not at those of the functions that it calls: any new version starts anew.
It tells processors apart by itself."""


def code_folder() -> Path:
    """Where the code lies: under ``NUMBA_CACHE_DIR`` or this user's caches, apart for each set of versions.

    Examples
    --------
    >>> code_folder().name.startswith("umap-")
    True
    """
    versions = [f"{name}=={version(name)}" for name in COMPILED_BY] + [sys.version]
    named = os.environ.get("NUMBA_CACHE_DIR")
    root = Path(named) if named else machine_cache() / "numba"
    return root / f"umap-{hashlib.sha256(' '.join(versions).encode()).hexdigest()[:16]}"


def with_umap(work: Callable[[ModuleType], Result]) -> Result:
    """Work with umap-learn so that its functions are compiled once, and not in every process.

    umap-learn caches none of them itself: numba is told to while it is imported. numba keeps compiled code as
    pickles, which run what they hold; so the folder is this user's alone. A file that a full disk or a power cut left
    in pieces costs the folder: it is emptied, and the work done once more. Where umap was imported before by somebody
    else, nothing is kept.

    Parameters
    ----------
    work
        Gets the module ``umap``; done twice where the folder was damaged.

    Raises
    ------
    ConceptError
        When the folder cannot be made, or is not this user's alone.

    Examples
    --------
    >>> with_umap(lambda umap: umap.UMAP.__name__)
    'UMAP'
    """
    try:
        return work(_import_umap())
    except (UnpicklingError, EOFError):
        # The folder stays: another process would make it anew, open to others. It may be emptying it too.
        for part in code_folder().iterdir():
            shutil.rmtree(part, ignore_errors=True)
        return work(_import_umap())


def _import_umap() -> ModuleType:
    if "umap" in sys.modules:
        return sys.modules["umap"]
    with warnings.catch_warnings(), _numba_keeps_code(private_folder(code_folder())):
        # its neural variant, which nothing here uses
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        return import_module("umap")


@contextmanager
def _numba_keeps_code(folder: Path) -> Iterator[None]:
    """Let numba cache, in a folder, every function that is defined meanwhile."""
    numba: Any = import_module("numba")  # untyped where it is changed
    numba.config.reload_config()  # or it would do so meanwhile, where its variables changed
    before = numba.jit, numba.njit, numba.config.CACHE_DIR
    numba.jit, numba.njit = partial(numba.jit, cache=True), partial(numba.njit, cache=True)
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.jit, numba.njit, numba.config.CACHE_DIR = before
