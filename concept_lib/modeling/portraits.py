"""How concepts are shown: exemplars, and the vector that they give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.exemplars import NONE, concept_vectors, members_by_cluster, refill_exemplars
from concept_lib.modeling.membership import Membership, Standing
from concept_lib.modeling.neighbours import block_rows


class Portraits(NamedTuple):
    """How the concepts of a state are shown.

    Attributes
    ----------
    concept_ids
        By growing id, int32 (k,).
    vectors
        Unit vector of each, the normalised mean of its exemplars; float32 (k, d).
    ranks
        1, 2, ... for exemplars, 0 for other images; int32 (n,).
    similarities
        Cosine of each image to its concept's vector, NaN for outliers; float32 (n,).
    """

    concept_ids: npt.NDArray[np.int32]
    vectors: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.int32]
    similarities: npt.NDArray[np.float32]


def portray(
    vectors: npt.NDArray[np.float32],
    members: Membership,
    *,
    n_exemplars: int = 8,
    diversity: float = 0.3,
    standing: Standing | None = None,
) -> Portraits:
    """Choose the exemplars of every concept among its fitted images.

    A concept that fitted images neither joined nor left keeps its exemplars, and so its vector and, by cosine, its
    words; those that are deleted are replaced. Assigned images are exemplars only where no fitted one is left.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    members
        Of the same images.
    n_exemplars, diversity
        As in `choose_exemplars`.
    standing
        The published concepts, where exemplars were chosen under the same settings and from vectors of one model.

    Examples
    --------
    >>> ids = np.array([3, 3, -1], np.int32)
    >>> found = portray(np.eye(3, dtype=np.float32), Membership(ids, ids, np.ones(3, np.float32), ids >= 0))
    >>> found.concept_ids.tolist(), found.ranks.tolist(), found.similarities.round(2).tolist()
    ([3], [1, 2, 0], [0.7099999785423279, 0.7099999785423279, nan])
    """
    concept_ids = np.unique(members.concept_ids[members.concept_ids >= 0])
    own = np.where(members.concept_ids < 0, -1, np.searchsorted(concept_ids, members.concept_ids))
    lasting = _lasting(members, standing)
    ranks = np.zeros(len(vectors), np.int32)
    exemplars = []
    for concept_id, rows in zip(concept_ids, members_by_cluster(own), strict=True):
        fitted = rows[members.fitted[rows]]
        rows = fitted if len(fitted) else rows
        kept = NONE
        if standing is not None and concept_id in lasting:
            shown = rows[standing.ranks[rows] > 0]
            kept = shown[np.argsort(standing.ranks[shown])]
        chosen = refill_exemplars(
            vectors, rows, members.probabilities[rows], kept, n_exemplars=n_exemplars, diversity=diversity
        )
        ranks[chosen] = np.arange(1, len(chosen) + 1)
        exemplars.append(chosen)
    centres = concept_vectors(vectors, exemplars)
    return Portraits(concept_ids.astype(np.int32), centres, ranks, _similarities(vectors, centres, own))


def _similarities(
    vectors: npt.NDArray[np.float32], centres: npt.NDArray[np.float32], own: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Cosine of each image to the vector of its own concept, NaN where `own` is negative."""
    found = np.full(len(vectors), np.nan, np.float32)
    held = np.flatnonzero(own >= 0)
    step = block_rows(vectors.shape[1], most=1 << 16)
    for start in range(0, len(held), step):
        rows = held[start : start + step]
        found[rows] = np.einsum("nd,nd->n", vectors[rows], centres[own[rows]])
    return found


def _lasting(members: Membership, standing: Standing | None) -> set[int]:
    """Concepts that no fitted image joined and no surviving one left."""
    if standing is None:
        return set()
    was, now = standing.members.concept_ids, members.concept_ids
    moved = was != now
    joined = np.unique(now[moved & members.fitted])
    left = np.unique(was[moved & standing.known])
    return set(np.unique(was).tolist()) - set(joined.tolist()) - set(left.tolist()) - {-1}
