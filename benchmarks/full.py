"""The figures of the page ``benchmarks/RESULTS.md``: ``python -m benchmarks.full``, some hours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.command import command
from benchmarks.plan import Plan

PAGE = Path(__file__).with_name("RESULTS.md")
PLAN = Plan(
    images={2500: 3, 25_000: 1},
    pictures={"640x427": 2500, "1080x720": 2500},
    once=True,
    growth=(25_000, 100_000, 250_000, 1_000_000),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page."""
    about = "Measure each step three times on 2,500 images, and all on 25,000 once."
    command("full", about, PLAN, PAGE, arguments)


if __name__ == "__main__":
    main()
