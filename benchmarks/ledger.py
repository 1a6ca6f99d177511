"""What was measured already: a file a measure, so that a run that was broken off goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import load_average
from benchmarks.report import n_cores, processor
from benchmarks.speed import ROOT
from benchmarks.worker import Found
from concept_lib.storage import write_file

LIBRARIES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "numpy",
    "scikit-learn",
    "umap-learn",
    "hdbscan",
    "numba",
    "pillow",
)


class Ledger:
    """Measures by name in one folder.

    Parameters
    ----------
    folder
        Made when first written to.

    Examples
    --------
    >>> import tempfile
    >>> ledger = Ledger(Path(tempfile.mkdtemp()))
    >>> ledger.take("sum", lambda: {"total": 3})["total"], ledger.take("sum", lambda: {"total": 4})["total"]
    (3, 3)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, name: str, measure: Callable[[], Found]) -> Found:
        """What a measure gave, now or in an earlier run; with it ``load`` before it, and ``at``, when it ended."""
        found = self.find(name)
        if found is None:
            load = load_average()
            found = measure() | {"load": load, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"}
            self.folder.mkdir(parents=True, exist_ok=True)
            write_file(self.folder / f"{name}.json", json.dumps(found, indent=1).encode())
        return found

    def find(self, name: str) -> Found | None:
        """What a measure gave, if it was taken."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        found: Found = json.loads(path.read_bytes())
        return found

    def all(self) -> dict[str, Found]:
        """All measures by name, in the order in which they were taken."""
        paths = sorted(self.folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        return {path.stem: json.loads(path.read_bytes()) for path in paths}


BENCHMARKS = ROOT / "benchmarks"
INPUTS = (BENCHMARKS / "inputs", ROOT / "concept_lib" / "images" / "sample")
MEASURED = (
    ROOT / "concept_lib",
    ROOT / "concept_assets",
    BENCHMARKS / "inputs",
    BENCHMARKS / "seed",
    *(BENCHMARKS / f"{name}.py" for name in ("machine", "measure", "ours", "refreshing")),
)


def stamp(parts: Sequence[Path]) -> str:
    """Short hash of code, the libraries and the machine: what was made or measured with them holds for no others.

    Parameters
    ----------
    parts
        Modules, and folders of them: `INPUTS` or `MEASURED`.
    """
    digest = hashlib.sha256()
    for part in parts:
        for path in sorted(part.rglob("*.py")) if part.is_dir() else [part]:
            digest.update(path.read_bytes())
    facts = [f"{name} {version(name)}" for name in LIBRARIES], processor(), n_cores()
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:12]
