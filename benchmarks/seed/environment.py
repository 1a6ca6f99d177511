"""The seed's environment: made once, beside nothing that the product uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from benchmarks.speed import ROOT, last_line
from concept_lib.errors import ConceptError

FOLDER = ROOT / "build" / "seed-env"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
DONE = "made"  # holds the requirements that it was made of


def python(folder: Path = FOLDER) -> Path:
    """Interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_made(folder: Path = FOLDER) -> bool:
    """Whether the environment is there and of today's requirements, over this very environment."""
    mark = folder / DONE
    return mark.is_file() and mark.read_text() == _wanted()


def make(folder: Path = FOLDER) -> Path:
    """Make the environment unless it is there.

    Returns
    -------
    Path
        Its interpreter.

    Raises
    ------
    ConceptError
        When PyPI cannot be reached, or the seed cannot be imported.
    """
    if is_made(folder):
        return python(folder)
    if folder.exists():
        shutil.rmtree(folder)
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    # what is installed here is seen there; pip is this environment's
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    shown = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (site / "beneath.pth").write_text("".join(f"{path}\n" for path in shown))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    command += ["--target", str(site), "--require-hashes", "-r", str(REQUIREMENTS)]
    _run(command, "cannot be fetched from PyPI")
    check = "from benchmarks.seed import shims; shims.install(); import concept; print(concept.__version__)"
    _run([str(python(folder)), "-c", check], "cannot be imported")
    (folder / DONE).write_text(_wanted())
    return python(folder)


def _wanted() -> str:
    return f"{sys.prefix}\n{REQUIREMENTS.read_text()}"


def _run(command: list[str], failure: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConceptError(f"the seed, concept 0.2.1, {failure}: {last_line(done.stderr)}")
