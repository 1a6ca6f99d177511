"""Which trial is best, and the figures beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from concept_lib.experiment.trial import Trial

FIGURES = (
    *("score", "concepts", "outliers", "silhouette", "relative_validity"),
    *("label_confidence", "label_coherence", "ari", "seconds_total"),
)
"""Metrics that are shown of each trial."""
COUNTS = {"concepts", "outliers"}
RULE = (
    "Best first, by score: the mean silhouette of all images in the space of their vectors, with outliers counting 0. "
    "That space is the same for all trials, and leaving difficult images out gains nothing."
)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials, best score first; those without one come last, equal ones as they were tried."""
    return sorted(trials, key=lambda trial: -trial.metrics.get("score", -math.inf))


def ranking_rows(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """One row a trial, best first: rank, the settings that were tried, and its figures, None where undefined."""
    return [
        {"rank": rank, **trial.point, **{name: _figure(trial, name) for name in FIGURES}}
        for rank, trial in enumerate(ranked(trials), 1)
    ]


def figure_text(name: str, value: float | None) -> str:
    """A figure as a person reads it.

    Examples
    --------
    >>> figure_text("score", 0.71234), figure_text("concepts", 1204), figure_text("ari", None)
    ('0.712', '1,204', '')
    """
    if value is None:
        return ""
    return (
        f"{value:,.0f}"
        if name in COUNTS
        else f"{value:.1f}"
        if name.startswith("seconds")
        else f"{value:.3f}"
    )


def _figure(trial: Trial, name: str) -> float | int | None:
    value = trial.metrics.get(name)
    return int(value) if value is not None and name in COUNTS else value
