"""One trial: what a refresh with some settings would find, had nothing else changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from concept_lib.curation import merges_in_force, names_in_force, pins_in_force
from concept_lib.database.members import cluster_table, member_table
from concept_lib.database.naming import label_tables, lasting_names, user_names
from concept_lib.database.past import stability_metrics
from concept_lib.database.present import vector_column
from concept_lib.experiment.basis import Basis
from concept_lib.experiment.grid import Point
from concept_lib.experiment.layouts import Layout, Layouts
from concept_lib.modeling.curation import merged_ids
from concept_lib.modeling.fit import fit_concepts, members_of
from concept_lib.modeling.membership import Membership, dissolved
from concept_lib.modeling.naming import Naming, name_concepts
from concept_lib.modeling.portraits import Portraits, portray
from concept_lib.modeling.quality import cluster_metrics, outlier_share, silhouette
from concept_lib.settings import Settings


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found.

    Parameters
    ----------
    point
        The settings that were tried, as texts.
    settings
        All settings.
    concepts
        One row a concept, largest first: id, sizes, label, its confidence.
    members
        One row an image, as in ``concept_images`` but for its place on the map.
    plane
        That place, float32 (n, 2).
    metrics
        Those of a refresh, and `score`.
    """

    point: Point
    settings: Settings
    concepts: pa.Table
    members: pa.Table
    plane: npt.NDArray[np.float32]
    metrics: dict[str, float]


def run_trials(basis: Basis, points: Sequence[tuple[Point, Settings]]) -> Iterator[Trial]:
    """Try each point of a grid, one after the other.

    Parameters
    ----------
    basis
        What they share.
    points
        What is tried, and all settings that are in force with it.
    """
    layouts = Layouts(basis, (settings.reduction for _, settings in points))
    for point, settings in points:
        yield _trial(basis, layouts, point, settings)


def score(vectors: npt.NDArray[np.float32], concept_ids: npt.NDArray[np.integer]) -> float:
    """Mean silhouette of all images in the space of their vectors, those of no concept counting 0.

    It is the silhouette of the images in concepts, times their share of all. The vectors are the same for every
    trial, which the reduced ones are not; and leaving difficult images out gains nothing.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    concept_ids
        Shape (n,), -1 for an outlier.

    Returns
    -------
    float
        -1..1; NaN with fewer than two concepts.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    >>> score(vectors, np.array([0, 0, 1, 1])), score(np.tile(vectors, (2, 1)), np.array([0, 0, 1, 1] + [-1] * 4))
    (1.0, 0.5)
    """
    return silhouette(vectors, concept_ids) * (1 - outlier_share(concept_ids))


def _trial(basis: Basis, layouts: Layouts, point: Point, settings: Settings) -> Trial:
    layout = layouts.of(settings.reduction)
    started = time.monotonic()
    members, validity = _grouped(basis, layout, settings)
    same = settings.exemplars == basis.settings.exemplars
    portraits = portray(
        basis.vectors,
        members,
        **settings.exemplars.model_dump(),
        standing=basis.standing if same else None,
    )
    naming = _naming(basis, members, portraits, settings)
    labels = _labels(basis, members, portraits, naming, settings)
    seconds = layout.seconds + time.monotonic() - started
    concepts = cluster_table(members, portraits, {})
    for name in labels.schema.names[1:]:
        concepts = concepts.append_column(name, labels[name])
    table = member_table(basis.image_ids, members, portraits)
    metrics = {
        "images": len(basis.image_ids),
        "concepts": concepts.num_rows,
        "outliers": int((members.concept_ids < 0).sum()),
        **cluster_metrics(layout.space, members.concept_ids, validity),
        **(naming.metrics if naming else {}),
        **_stability(basis, table, portraits, settings),
        "seconds_total": seconds,
        "score": score(basis.vectors, members.concept_ids),
    }
    return Trial(
        point,
        settings,
        concepts.sort_by([("n_images", "descending"), ("concept_id", "ascending")]),
        table,
        layout.plane,
        {name: float(value) for name, value in metrics.items() if np.isfinite(value)},
    )


def _grouped(basis: Basis, layout: Layout, settings: Settings) -> tuple[Membership, float | None]:
    """Concept of each image, and the validity of the fit: the standing ones where nothing would make another."""
    standing = basis.standing
    if layout.is_standing and settings.clustering == basis.settings.clustering:
        members, validity = standing.members, basis.relative_validity
    else:
        before = standing.members.raw_ids
        fit = fit_concepts(
            layout.space,
            before,
            basis.published.next_free_id,
            min_concept_size=settings.clustering.min_concept_size,
            min_samples=settings.clustering.min_samples,
            min_jaccard=settings.identity.min_jaccard,
            vectors=basis.vectors,
            sample=layout.sample,
        )
        pins = pins_in_force(basis.actions)
        members = members_of(fit, before, standing.members.probabilities, pins)
        validity = fit.relative_validity
    shown = merged_ids(members.raw_ids, merges_in_force(basis.actions))
    return dissolved(members._replace(concept_ids=shown)), validity


def _naming(basis: Basis, members: Membership, portraits: Portraits, settings: Settings) -> Naming | None:
    if basis.words is None:
        return None
    own = np.searchsorted(portraits.concept_ids, members.concept_ids)
    return name_concepts(
        portraits.vectors,
        basis.vectors,
        np.where(members.concept_ids >= 0, own, -1).astype(np.int32),
        basis.words.words,
        basis.words.vectors,
        **settings.labels.model_dump(),
        midpoint=basis.words.midpoint,
        scale=basis.words.scale,
        hedging=basis.words.hedging,
    )


def _labels(
    basis: Basis, members: Membership, portraits: Portraits, naming: Naming | None, settings: Settings
) -> pa.Table:
    """Label of each concept; one that nothing touched keeps the published one, and the user's word wins."""
    words = basis.words.words if basis.words else []
    tables = label_tables(portraits.concept_ids.tolist(), words, naming, settings.labels.method)
    standing = basis.labels if settings.labels == basis.settings.labels else None
    tables = lasting_names(tables, standing, _untouched(basis, members, portraits))
    return user_names(tables["labels"], names_in_force(basis.actions))


def _untouched(basis: Basis, members: Membership, portraits: Portraits) -> set[int]:
    """Concepts with the same images and the same vector as published."""
    was, now = basis.standing.members.concept_ids, members.concept_ids
    moved = set(np.concatenate([was[was != now], now[was != now]]).tolist())
    vectors = dict(zip(portraits.concept_ids.tolist(), portraits.vectors, strict=True))
    known = basis.published.concepts
    return {
        key
        for key, vector in vectors.items()
        if key in known and key not in moved and np.array_equal(vector, known[key].vector)
    }


def _stability(basis: Basis, members: pa.Table, portraits: Portraits, settings: Settings) -> dict[str, float]:
    """How much of the published concepts would last."""
    present = {
        "concept_images": members,
        "concepts": pa.table(
            {
                "concept_id": pa.array(portraits.concept_ids, pa.int32()),
                "embedding": vector_column(portraits.vectors),
            }
        ),
        "schema_info": pa.table({"model_fingerprint": [basis.published.model]}),
    }
    return stability_metrics(basis.published, present, settings)
