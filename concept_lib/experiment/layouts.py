"""Layouts of the images: each is made once, however many trials share it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.experiment.basis import Basis
from concept_lib.modeling.layout import aligned, starting_layout
from concept_lib.modeling.neighbours import Neighbors, nearest_neighbors
from concept_lib.modeling.reduce import reduce
from concept_lib.settings import REFIT_RULES, Reduction


class Layout(NamedTuple):
    """Where the images lie.

    Attributes
    ----------
    space, plane
        Space of the clusters, float32 (n, c), and map, float32 (n, 2).
    seconds
        What it took to make both; 0 for those that are published.
    is_standing
        Whether they are those that are published.
    """

    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    seconds: float
    is_standing: bool


class Layouts:
    """Makes layouts as a refresh would: the published ones under the same settings, else new ones beside them.

    Parameters
    ----------
    basis
        The images, and their standing layouts.
    sections
        The settings that will be tried; neighbours are sought once, for the widest of them.
    """

    def __init__(self, basis: Basis, sections: Iterable[Reduction]) -> None:
        self._basis = basis
        self._most = max((section.n_neighbors for section in sections), default=2)
        self._made: dict[tuple[Any, ...], tuple[npt.NDArray[np.float32], float]] = {}

    def of(self, section: Reduction) -> Layout:
        """Layouts under some settings."""
        if _recipe(section) == _recipe(self._basis.settings.reduction):
            return Layout(self._basis.standing.space, self._basis.standing.plane, 0.0, True)
        space, seconds = self._once(section, section.n_components, section.min_dist)
        plane, more = self._once(section, 2, section.map_min_dist, is_map=True)
        return Layout(space, plane, seconds + more, False)

    def _once(
        self, section: Reduction, n_components: int, min_dist: float, *, is_map: bool = False
    ) -> tuple[npt.NDArray[np.float32], float]:
        key = (section.n_neighbors, section.seed, n_components, min_dist, is_map)
        if key not in self._made:
            started = time.monotonic()
            indices, distances = self._neighbors
            indices, distances = indices[:, : section.n_neighbors], distances[:, : section.n_neighbors]
            standing = self._basis.standing.plane.astype(np.float64)
            layout = reduce(
                self._basis.vectors,
                n_neighbors=section.n_neighbors,
                n_components=n_components,
                min_dist=min_dist,
                seed=section.seed,
                neighbors=(indices, distances),
                start=starting_layout(standing, indices, section.seed) if is_map else None,
            )
            layout = aligned(layout, standing) if is_map else layout
            self._made[key] = layout, time.monotonic() - started
        return self._made[key]

    @cached_property
    def _neighbors(self) -> Neighbors:
        return nearest_neighbors(self._basis.vectors, self._most)


def _recipe(section: Reduction) -> dict[str, Any]:
    return section.model_dump(exclude=REFIT_RULES)
