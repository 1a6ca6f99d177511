"""What a check says: whether it passed, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from concept_assets.progress import listener


def proof(problems: Mapping[str, int], remedy: str, **facts: int) -> dg.AssetCheckResult:
    """Pass when no rule is broken; else say which are, and what to do.

    Parameters
    ----------
    problems
        Rows that break each rule, by rule; shown also where it is 0, so that a rule can be plotted.
    remedy
        What to do where one is broken.
    facts
        Numbers that say how much was looked at.

    Examples
    --------
    >>> proof({"vectors not finite": 2, "missing": 0}, "embed them again", images=9).description
    'vectors not finite: 2; embed them again'
    """
    broken = [f"{rule}: {count:,}" for rule, count in problems.items() if count]
    looked_at = ", ".join(f"{count:,} {name}" for name, count in facts.items())
    return dg.AssetCheckResult(
        passed=not broken,
        metadata={**facts, **problems},
        description="; ".join([", ".join(broken), remedy]) if broken else f"all is well in {looked_at}",
    )


def warning(what: str, value: float, limit: float, remedy: str) -> dg.AssetCheckResult:
    """Pass up to the limit; beyond it warn, on the command line too."""
    passed = value <= limit
    if not passed and (audience := listener()) is not None:
        audience.warned(f"{what}: {value:.2f}, above {limit:g}")
    line = f"{what}: {value:.3f} (at most {limit:g})"
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"value": value, "limit": limit},
        description=line if passed else f"{line}; {remedy}",
    )


def share(part: int, whole: int) -> float:
    """Part of a whole that may be empty."""
    return part / whole if whole else 0.0
