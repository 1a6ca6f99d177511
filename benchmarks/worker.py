"""One step of one side in a fresh process: ``python -m benchmarks.worker MODULE``, the job on stdin."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.speed import ROOT, last_line

Job: TypeAlias = dict[str, Any]
"""``step``, and what it works on: paths and numbers."""

Found: TypeAlias = dict[str, Any]
"""What a step measured: `benchmarks.measure.Figures` by name, and other numbers."""

OURS, SEED, MACHINE = "benchmarks.ours", "benchmarks.seed.steps", "benchmarks.machine"
OWN = ("CONCEPT_", "DAGSTER_", "MLFLOW_")  # variables that lead to somebody's own home, settings or server


def work(module: str, job: Job, interpreter: str | Path = sys.executable) -> Found:
    """Run a step in a process of its own, with all cores.

    Parameters
    ----------
    module
        `OURS`, `SEED` or `MACHINE`; its function `job["step"]` is called with the rest of the job.
    interpreter
        Of the environment in which it runs.

    Raises
    ------
    ConceptError
        When the step fails, with its last line.
    """
    from concept_lib.errors import ConceptError

    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    environment |= {"PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "true", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [str(interpreter), "-m", "benchmarks.worker", module],
        input=json.dumps(job, default=str),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ConceptError(f"{module}, step {job['step']}, failed: {last_line(done.stderr)}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run the step and print what it found as JSON."""
    job = json.load(sys.stdin)
    step = getattr(importlib.import_module(sys.argv[1]), job.pop("step"))
    print(json.dumps(step(**job)))


if __name__ == "__main__":
    main()
