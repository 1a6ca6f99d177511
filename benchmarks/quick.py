"""The product and the seed on 2,500 images, in some minutes: ``make bench`` or ``python -m benchmarks.quick``."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.command import WORK, command
from benchmarks.plan import Plan

PLAN = Plan(images={2500: 1}, pictures={"640x427": 2500, "1080x720": 500})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page."""
    about = "Measure the product and the seed on 2,500 images, each step once."
    command("quick", about, PLAN, WORK / "RESULTS.md", arguments)


if __name__ == "__main__":
    main()
