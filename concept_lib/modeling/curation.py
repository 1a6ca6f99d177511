"""What the user decided, applied to the concepts that a fit found."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.membership import LEAST_MEMBERS


def merged_ids(raw_ids: npt.NDArray[np.integer], merges: Mapping[int, int]) -> npt.NDArray[np.int32]:
    """Shown concept of each image, or of each concept.

    A merge changes what is shown and nothing else, so that taking it back restores what was there before.

    Parameters
    ----------
    raw_ids
        Concepts as the fits know them, of any shape; -1 for an outlier.
    merges
        Shown concept of each merged one; none of the shown is merged itself.

    Examples
    --------
    >>> merged_ids(np.array([3, 5, -1, 4]), {5: 3})
    array([ 3,  3, -1,  4], dtype=int32)
    """
    shown = np.array(raw_ids, np.int32)
    for merged, into in merges.items():
        shown[raw_ids == merged] = into
    return shown


def keep_pinned(
    before: npt.NDArray[np.integer], after: npt.NDArray[np.integer], pinned: Collection[int]
) -> npt.NDArray[np.int32]:
    """Let pinned concepts outlive a fit that found no group for them.

    Such a concept takes its members back from wherever they fell, as long as two are left. What is left of another
    concept lasts with two members and dissolves with one.

    Parameters
    ----------
    before
        Concept of each image in the state before the fit, shape (n,); negative for an outlier or a new image.
    after
        Concept of each image by the new fit, matched to the old ones, shape (n,); -1 for an outlier.
    pinned
        Ids of concepts that must last.

    Returns
    -------
    ndarray of int32, shape (n,)
        Concept of each image, -1 for an outlier.

    Raises
    ------
    ValueError
        When lengths differ.

    Examples
    --------
    Concept 7 was lost: its members fell to concept 9, which has a single one of its own, and to the outliers.

    >>> keep_pinned(np.array([7, 7, 7, 9, 4, 4]), np.array([9, 9, -1, 9, 4, 4]), {7})
    array([ 7,  7,  7, -1,  4,  4], dtype=int32)
    """
    if len(before) != len(after):
        raise ValueError(f"lengths differ: {len(before)} old concepts, {len(after)} new ones")
    ids = np.array(after, np.int32)
    wanted = [concept for concept in pinned if np.count_nonzero(before == concept) >= LEAST_MEMBERS]
    # What one takes back another may have lived on; each takes back its own, so that this comes to an end.
    while lost := [concept for concept in wanted if np.count_nonzero(ids == concept) < LEAST_MEMBERS]:
        theirs = np.isin(before, lost)
        ids[theirs] = before[theirs]
    found, sizes = np.unique(ids, return_counts=True)
    ids[np.isin(ids, found[sizes < LEAST_MEMBERS])] = -1
    return ids
