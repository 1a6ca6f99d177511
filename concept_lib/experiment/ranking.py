"""Which trial is best, and the figures beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from concept_lib.experiment.trial import Trial

FIGURES = (
    *("score", "concepts", "outliers", "silhouette", "relative_validity"),
    *("label_confidence", "label_coherence", "ari", "seconds_total"),
)
"""Metrics that are shown of each trial."""
SHORT = {
    **{"relative_validity": "validity", "label_confidence": "confidence", "label_coherence": "coherence"},
    **{"ari": "agreement", "seconds_total": "seconds"},
}
"""Headings of those whose names are long."""
COUNTS = {"concepts", "outliers"}
RULE = (
    "Best first, by score: the mean silhouette of all images in the space of their vectors, with outliers counting 0. "
    "That space is the same for all trials, and leaving difficult images out gains nothing. Equal scores "
    "go by the coherence of the labels."
)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials, best score first, equal ones by the coherence of their labels; those without a score come last."""
    return sorted(
        trials,
        key=lambda trial: tuple(-trial.metrics.get(name, -math.inf) for name in ("score", "label_coherence")),
    )


def ranking_rows(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    """One row a trial, best first: rank, the settings that were tried, and its figures, None where undefined.

    Settings have their names without their sections, none of which is in two of those that can be tried.
    """
    return [
        {
            "rank": rank,
            **{key.partition(".")[2]: value for key, value in trial.point.items()},
            **{name: _figure(trial, name) for name in FIGURES},
        }
        for rank, trial in enumerate(ranked(trials), 1)
    ]


def ranking_texts(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells of the ranking, as a person reads it."""
    names = [name for name in rows[0] if name != "run_id"]
    cells = [
        [figure_text(name, row[name]) if name in FIGURES else str(row[name]) for name in names]
        for row in rows
    ]
    return [SHORT.get(name, name) for name in names], cells


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
