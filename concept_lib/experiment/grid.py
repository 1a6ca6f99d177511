"""The settings that an experiment tries: a grid of values, and each point of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from concept_lib.errors import ConceptError
from concept_lib.settings import REFIT_RULES, SECTIONS, Settings
from concept_lib.settings_sources import resolve
from concept_lib.storage import Home

Grid: TypeAlias = Mapping[str, Sequence[str]]
Point: TypeAlias = Mapping[str, str]

TRIED = ("reduction", "clustering", "exemplars", "labels")
EXAMPLE = "clustering.min_concept_size=10,20,40"


def parse_grid(texts: Iterable[str]) -> dict[str, list[str]]:
    """Read ``KEY=V1,V2`` texts.

    Raises
    ------
    ConceptError
        For a text of another form, and for a key that is given twice.

    Examples
    --------
    >>> parse_grid(["clustering.min_concept_size=10,auto", "labels.method=ctfidf"])
    {'clustering.min_concept_size': ['10', 'auto'], 'labels.method': ['ctfidf']}
    """
    grid: dict[str, list[str]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip()
        if not equals:
            raise ConceptError(f"--grid {text}: write KEY=V1,V2, such as {EXAMPLE}")
        if key in grid:
            raise ConceptError(f"--grid {key} is given twice; write all its values behind one =")
        grid[key] = [value.strip() for value in values.split(",")]
    return grid


def points_of(home: Home, grid: Grid) -> list[tuple[Point, Settings]]:
    """Each combination of the grid's values, and the settings that would then be in force.

    Parameters
    ----------
    home
        Settings that are not in the grid are those that a refresh of it would have now.
    grid
        Values by ``section.key``, as texts.

    Raises
    ------
    ConceptError
        For a grid without a value, a setting that cannot be tried, a misspelt key or a value that it does not take.
    """
    if not grid:
        raise ConceptError(f"nothing to try; give settings with --grid KEY=V1,V2, such as {EXAMPLE}")
    for key, values in grid.items():
        section, _, name = key.partition(".")
        if section in SECTIONS and (section not in TRIED or name in REFIT_RULES):
            raise ConceptError(
                f"{key} cannot be tried; settings of {', '.join(TRIED)} can, but for when to refit"
            )
        if not values or "" in values:
            raise ConceptError(f"{key} lacks a value; write it as {EXAMPLE}")
    unique = [list(dict.fromkeys(values)) for values in grid.values()]
    points = [dict(zip(grid, values, strict=True)) for values in itertools.product(*unique)]
    return [(point, resolve(home, point).settings) for point in points]


def point_name(point: Point) -> str:
    """A point in a few words.

    Examples
    --------
    >>> point_name({"clustering.min_concept_size": "10", "reduction.n_neighbors": "15"})
    'min_concept_size=10 n_neighbors=15'
    """
    return " ".join(f"{key.partition('.')[2]}={value}" for key, value in point.items())


def refresh_command(point: Point) -> str:
    """The command that refreshes with the settings of a point.

    Examples
    --------
    >>> refresh_command({"labels.n_shown": "2"})
    'concept refresh --set labels.n_shown=2'
    """
    return " ".join(["concept refresh", *(f"--set {key}={value}" for key, value in point.items())])
