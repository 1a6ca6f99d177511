"""What ``benchmarks.quick`` and ``benchmarks.full`` share: measure what is left, write the page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ledger import INPUTS, MEASURED, Ledger, stamp
from benchmarks.page import page
from benchmarks.plan import Plan, Run
from benchmarks.seed.environment import make
from benchmarks.sheet import Sheet
from benchmarks.speed import ROOT
from concept_lib.errors import ConceptError
from concept_lib.storage import write_file

WORK = ROOT / "build" / "bench"


def command(name: str, about: str, plan: Plan, out: Path, arguments: Sequence[str] | None) -> None:
    """Parse, measure, print and write.

    Parameters
    ----------
    name
        ``quick`` or ``full``: of its measures, too.
    about
        For the help.
    plan
        What is measured.
    out
        Where the page goes by default.
    arguments
        Of the command line.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=f"{about} A run that was broken off goes on where it was.",
    )
    parser.add_argument("--work", type=Path, default=WORK, help="folder of inputs and measures (%(default)s)")
    parser.add_argument("--out", type=Path, default=out, help="gets the page (%(default)s)")
    options = parser.parse_args(arguments)
    work = options.work.resolve()
    ledger = Ledger(work / f"{name}-{stamp(MEASURED)}")
    try:
        Run(plan, inputs_folder(work), ledger, seed_interpreter()).everything()
    except ConceptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    device = work / "gpu.json"
    sheet = Sheet(plan, ledger, json.loads(device.read_bytes()) if device.is_file() else {})
    text = page(sheet, f"python -m benchmarks.{name}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_file(options.out, text.encode())
    print(text, end="")


def inputs_folder(work: Path) -> Path:
    """Where the inputs are that today's code makes."""
    return work / f"inputs-{stamp(INPUTS)}"


def seed_interpreter() -> Path | None:
    """Interpreter of the seed's environment, or None, said aloud, where it cannot be made."""
    try:
        return make()
    except ConceptError as error:
        print(f"warning: {error}; the product is measured alone", file=sys.stderr)
        return None
