"""Make the seed's environment: ``python -m benchmarks.seed``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks.seed.environment import FOLDER, make
from concept_lib.errors import ConceptError


def main(arguments: Sequence[str] | None = None) -> None:
    """Make it, and say where."""
    argparse.ArgumentParser(
        prog="python -m benchmarks.seed",
        description=f"Install Concept 0.2.1 from PyPI into an environment of its own, {FOLDER}.",
    ).parse_args(arguments)
    try:
        print(make())
    except ConceptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
