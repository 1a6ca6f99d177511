"""The product as a user runs it: a home, a folder of images, and the command."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.measure import Figures, measured
from benchmarks.speed import last_line
from concept_lib.errors import ConceptError

HOOK = Path(__file__).with_name("opened")
_SUBREAPER = 36  # prctl's number of it


class Collection:
    """Images and a home, both new.

    Parameters
    ----------
    folder
        What is in it goes.
    """

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.images, self.home = folder / "images", folder / "home"
        self.images.mkdir(parents=True)
        if (
            sys.platform == "linux"
        ):  # what outlives the command is ours to wait for, so that its seconds count
            ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)

    def add(self, pictures: Sequence[str]) -> None:
        """Put pictures into the folder, by link: they are only read."""
        for picture in map(Path, pictures):
            (self.images / picture.name).hardlink_to(picture)

    def refresh(self, *options: str | Path) -> Figures:
        """Run ``concept refresh`` and measure it; the memory is that of the largest process so far."""
        found: dict[str, Figures] = {}
        with measured(found, "refresh"):
            self._run(options, {})
        kilo = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * kilo
        return found["refresh"] | {"peak_mb": peak / 1e6}

    def opened(self) -> int:
        """Run it with nothing changed and count the files of the folder that any of its processes opens."""
        log = self.home.parent / "opened.txt"
        log.write_text("")
        self._run((), {"PYTHONPATH": f"{HOOK}{os.pathsep}{os.environ['PYTHONPATH']}", "OPENED_LOG": str(log)})
        paths = log.read_text().splitlines()
        if not paths:
            raise ConceptError("the files that a refresh opens could not be counted: the log is empty")
        return len({path for path in paths if path.startswith(f"{self.images}{os.sep}")})

    def mode(self) -> str:
        """How the last refresh came to its concepts: fit, assigned or kept."""
        from concept_lib.database.queries import last_refresh
        from concept_lib.storage import Home

        latest = last_refresh(Home(self.home).database)
        return str(latest["mode"]) if latest else "none"

    def _run(self, options: Sequence[str | Path], environment: dict[str, str]) -> None:
        command = [
            sys.executable,
            "-m",
            "concept_assets.cli",
            "refresh",
            "--home",
            self.home,
            "--json",
            *options,
        ]
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.home.parent,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ConceptError(f"concept refresh failed: {last_line(done.stderr)}")
        with suppress(ChildProcessError):
            while True:
                os.wait()
