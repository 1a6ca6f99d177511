"""Layouts of the images: each is made once, however many trials share it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.database.samples import layout_sample
from concept_lib.experiment.basis import Basis
from concept_lib.modeling.layout import aligned, starting_layout
from concept_lib.modeling.neighbours import Neighbors, nearest_neighbors
from concept_lib.modeling.reduce import reduce
from concept_lib.modeling.sampling import Sample, content_keys, sampled, spread_layout, stratified_sample
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
    sample
        The images that HDBSCAN sees, None for all.
    """

    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    seconds: float
    is_standing: bool
    sample: Sample | None


class _Seen(NamedTuple):
    """What UMAP sees: rows of the images, their vectors, and their neighbours; `sample` is None where it is all."""

    rows: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float32]
    neighbors: Neighbors
    sample: Sample | None


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
        self._all_seen: dict[tuple[int, int], _Seen] = {}

    def of(self, section: Reduction) -> Layout:
        """Layouts under some settings."""
        basis = self._basis
        if self._recipe(section) == self._recipe(basis.settings.reduction):
            sample = layout_sample(basis.reduced, basis.vectors, basis.standing, section)
            return Layout(basis.standing.space, basis.standing.plane, 0.0, True, sample)
        space, seconds = self._once(section, section.n_components, section.min_dist)
        plane, more = self._once(section, 2, section.map_min_dist, is_map=True)
        return Layout(space, plane, seconds + more, False, self._seen(section).sample)

    def _once(
        self, section: Reduction, n_components: int, min_dist: float, *, is_map: bool = False
    ) -> tuple[npt.NDArray[np.float32], float]:
        key = (section.fit_sample, section.n_neighbors, section.seed, n_components, min_dist, is_map)
        if key not in self._made:
            started = time.monotonic()
            seen = self._seen(section)
            indices, distances = seen.neighbors
            indices, distances = indices[:, : section.n_neighbors], distances[:, : section.n_neighbors]
            standing = self._basis.standing.plane[seen.rows].astype(np.float64)
            layout = reduce(
                seen.vectors,
                n_neighbors=section.n_neighbors,
                n_components=n_components,
                min_dist=min_dist,
                seed=section.seed,
                neighbors=(indices, distances),
                start=starting_layout(standing, indices, section.seed) if is_map else None,
            )
            layout = aligned(layout, standing) if is_map else layout
            layout = layout if seen.sample is None else spread_layout(layout, seen.sample)
            self._made[key] = layout, time.monotonic() - started
        return self._made[key]

    def _seen(self, section: Reduction) -> _Seen:
        key = (section.fit_sample, section.seed)
        if key not in self._all_seen:
            vectors = self._basis.vectors
            rows = stratified_sample(
                vectors, section.fit_sample, content_keys(self._basis.image_ids, section.seed)
            )
            everyone = len(rows) == len(vectors)
            chosen = vectors if everyone else vectors[rows]
            sample = None if everyone else sampled(vectors, rows, self._most)
            self._all_seen[key] = _Seen(rows, chosen, nearest_neighbors(chosen, self._most), sample)
        seen, k = self._all_seen[key], section.n_neighbors
        return seen if seen.sample is None else seen._replace(sample=seen.sample.narrowed(k))

    def _recipe(self, section: Reduction) -> dict[str, Any]:
        """What a layout depends on; any bound that all images keep within is the same."""
        bound = min(section.fit_sample, len(self._basis.vectors))
        return section.model_dump(exclude=REFIT_RULES) | {"fit_sample": bound}
