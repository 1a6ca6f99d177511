"""Layouts learnt anew, of all images or from a sample of them; and a whole fit for programs."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.fit import fit_concepts
from concept_lib.modeling.layout import aligned, starting_layout
from concept_lib.modeling.neighbours import nearest_neighbors
from concept_lib.modeling.reduce import reduce
from concept_lib.modeling.sampling import Sample, sampled, spread_layout, stratified_sample
from concept_lib.progress import Progress


class Learnt(NamedTuple):
    """Where the images lie.

    Attributes
    ----------
    space, plane
        Coordinates in the space of the clusters, float32 (n, c), and on the map, float32 (n, 2).
    sample
        The images that UMAP saw; None where it saw all.
    """

    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    sample: Sample | None


class Grouped(NamedTuple):
    """What `fit_all` finds.

    Attributes
    ----------
    space, plane
        As in `Learnt`.
    concepts
        Concept of each image, int32 (n,): 0 is the first, -1 an outlier.
    probabilities
        Strength of membership, float32 (n,), 0 for an outlier.
    fitted
        Whether UMAP and HDBSCAN saw the image, bool (n,).
    """

    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    concepts: npt.NDArray[np.int32]
    probabilities: npt.NDArray[np.float32]
    fitted: npt.NDArray[np.bool_]


def learn_layouts(
    vectors: npt.NDArray[np.float32],
    keys: npt.NDArray[np.integer],
    *,
    fit_sample: int = 100_000,
    n_neighbors: int = 15,
    n_components: int = 5,
    min_dist: float = 0.0,
    map_min_dist: float = 0.1,
    seed: int = 42,
    standing: npt.NDArray[np.floating] | None = None,
    progress: Progress | None = None,
) -> Learnt:
    """Lay out images twice by UMAP over the same neighbours: a space for the clusters, and a map.

    Of more than `fit_sample` images UMAP sees a stratified sample, and the others lie among their nearest in it.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    keys
        Random number of each image, which decides on the sample; see `stratified_sample`.
    fit_sample
        Most images that UMAP sees.
    n_neighbors, n_components, min_dist, seed
        As in `reduce`.
    map_min_dist
        `min_dist` of the map.
    standing
        The map before, float (n, 2) with NaN rows for new images: the new one starts from it and is laid over it.
    progress
        Called with the stages done, and all.
    """
    rows = stratified_sample(vectors, fit_sample, keys)
    everyone = len(rows) == len(vectors)
    seen = vectors if everyone else vectors[rows]
    neighbors = nearest_neighbors(seen, n_neighbors)
    if progress:
        progress(1, 3)
    umap = partial(reduce, seen, n_neighbors=n_neighbors, seed=seed, neighbors=neighbors)
    space = umap(n_components=n_components, min_dist=min_dist)
    if progress:
        progress(2, 3)
    before = np.full((len(rows), 2), np.nan) if standing is None else standing[rows].astype(np.float64)
    start = starting_layout(before, neighbors[0], seed)
    plane = aligned(umap(n_components=2, min_dist=map_min_dist, start=start), before)
    if everyone:
        return Learnt(space, plane, None)
    sample = sampled(vectors, rows, n_neighbors)
    return Learnt(spread_layout(space, sample), spread_layout(plane, sample), sample)


def fit_all(
    vectors: npt.NDArray[np.float32],
    *,
    fit_sample: int = 100_000,
    n_neighbors: int = 15,
    n_components: int = 5,
    min_dist: float = 0.0,
    map_min_dist: float = 0.1,
    seed: int = 42,
    min_concept_size: Literal["auto"] | int = "auto",
    min_samples: int | None = None,
) -> Grouped:
    """Group images that nobody grouped before, as the first refresh does.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d); they may lie on disk, memory-mapped.
    fit_sample, n_neighbors, n_components, min_dist, map_min_dist
        As in `learn_layouts`.
    seed
        Of the layouts, and of the sample.
    min_concept_size, min_samples
        As in `fit_concepts`.

    Examples
    --------
    >>> few = np.eye(3, dtype=np.float32)[np.repeat([0, 1], 6)]
    >>> fit_all(few, min_concept_size=20).concepts.tolist() == [-1] * 12
    True
    """
    keys = np.random.default_rng(seed).permutation(len(vectors))
    learnt = learn_layouts(
        vectors,
        keys,
        fit_sample=fit_sample,
        n_neighbors=n_neighbors,
        n_components=n_components,
        min_dist=min_dist,
        map_min_dist=map_min_dist,
        seed=seed,
    )
    fit = fit_concepts(
        learnt.space,
        np.full(len(vectors), -2),
        0,
        min_concept_size=min_concept_size,
        min_samples=min_samples,
        vectors=vectors,
        sample=learnt.sample,
    )
    return Grouped(learnt.space, learnt.plane, fit.ids, fit.probabilities, fit.fitted)
