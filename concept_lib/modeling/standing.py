"""A standing fit carried on: what was there stays where it was, what is new is placed among it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.assign import assign, interpolated
from concept_lib.modeling.membership import Membership, Standing
from concept_lib.modeling.refit import Change


class Carried(NamedTuple):
    """The images of now in the standing fit.

    Attributes
    ----------
    members
        Of each image, those that are new included.
    space, plane
        Coordinates of each, float32 (n, c) and (n, 2).
    change
        What came and went since the fit.
    """

    members: Membership
    space: npt.NDArray[np.float32]
    plane: npt.NDArray[np.float32]
    change: Change


def carry_on(vectors: npt.NDArray[np.float32], standing: Standing, *, n_neighbors: int = 15) -> Carried:
    """Keep concept and coordinates of the images that were there, and assign the new ones.

    Fitted images alone vote, so that the order in which images come does not matter.

    Parameters
    ----------
    vectors
        Unit rows, shape (n, d).
    standing
        The published concepts, seen from the same images; at least one fitted image is left.
    n_neighbors
        Votes of a new image.
    """
    was, voters = standing.members, np.flatnonzero(standing.members.fitted)
    new = np.flatnonzero(~standing.known)
    ids, raw, shares = was.concept_ids.copy(), was.raw_ids.copy(), was.probabilities.copy()
    space, plane = standing.space.copy(), standing.plane.copy()
    if len(new):
        placed = assign(
            vectors[new],
            vectors[voters],
            was.concept_ids[voters],
            standing.ranks[voters],
            n_neighbors=n_neighbors,
        )
        ids[new], shares[new] = placed.concepts, placed.shares
        raw[new] = np.where(placed.concepts < 0, -1, was.raw_ids[voters][placed.firmest])
        space[new] = interpolated(standing.space[voters], placed)
        plane[new] = interpolated(standing.plane[voters], placed)
    added = ~standing.present
    change = Change(
        n_fit=standing.n_fit,
        n_added=int(added.sum()),
        n_removed=standing.n_fit - int(standing.present.sum()),
        n_strays=int((added & (ids < 0)).sum()),
    )
    return Carried(Membership(raw, ids, shares, was.fitted), space, plane, change)
