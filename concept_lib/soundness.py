"""Proofs about what the assets stored: how many rows break each rule, before anything is built on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image, UnidentifiedImageError

from concept_lib.database.members import exemplars_of
from concept_lib.database.present import collage_name
from concept_lib.storage import StoredAsset

UNIT_TOLERANCE = 1e-3  # of a length; a tower in half precision stays well within
FEWEST_MEMBERS = 2

Problems = dict[str, int]
"""Rows that break each rule, by the rule broken; a rule that holds has 0."""


def vector_problems(vectors: npt.NDArray[np.floating], n_expected: int) -> Problems:
    """Vectors must be finite, of unit length, and one for each row.

    Examples
    --------
    >>> vector_problems(np.array([[1.0, 0.0], [np.nan, 0.0], [3.0, 4.0]]), 4)
    {'vectors not finite': 1, 'vectors not of length 1': 1, 'vectors missing or too many': 1}
    """
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    finite = np.isfinite(squares)
    off = np.abs(np.sqrt(squares, where=finite, out=np.ones_like(squares)) - 1) > UNIT_TOLERANCE
    return {
        "vectors not finite": int((~finite).sum()),
        "vectors not of length 1": int((finite & off).sum()),
        "vectors missing or too many": abs(len(vectors) - n_expected),
    }


def id_problems(files: pa.Table, ids: pa.ChunkedArray, failures: pa.ChunkedArray) -> Problems:
    """Each usable image has one vector or one reason why it has none."""
    usable = set(files.filter(pc.equal(files["status"], "usable"))["image_id"].to_pylist())
    told = [*ids.to_pylist(), *failures.to_pylist()]
    return {
        "images without a vector or a reason": len(usable.difference(told)),
        "vectors of no image": len(set(told) - usable),
        "images told twice": len(told) - len(set(told)),
    }


def layout_problems(
    space: npt.NDArray[np.floating], plane: npt.NDArray[np.floating], n_expected: int
) -> Problems:
    """Every image has finite coordinates, in the space of the clusters and on the map."""
    return {
        "images without a place in the space": _not_finite(space),
        "images without a place on the map": _not_finite(plane),
        "places missing or too many": abs(len(space) - n_expected) + abs(len(plane) - n_expected),
    }


def concept_problems(image_ids: pa.ChunkedArray, members: pa.Table, concepts: pa.Table) -> Problems:
    """Each image has one row, and each concept its members and exemplars, as many as it says.

    Parameters
    ----------
    image_ids
        Images in the order of their vectors.
    members, concepts
        What `member_table` and `cluster_table` made.
    """
    known = concepts["concept_id"].to_numpy()
    of_image = members["concept_id"].to_numpy()
    shares = members["probability"].to_numpy()
    held = of_image[of_image >= 0]
    row_of = np.searchsorted(known, held)
    found = (
        (row_of < len(known)) & (known[np.minimum(row_of, len(known) - 1)] == held)
        if len(known)
        else held < 0
    )
    sizes = np.bincount(row_of[found], minlength=len(known))
    best = members.filter(pc.equal(members["exemplar_rank"], 1))["concept_id"].to_numpy()
    return {
        "images without a row of their own": int(members["image_id"].to_pylist() != image_ids.to_pylist()),
        "members of no concept": int((~found).sum()),
        "concepts of fewer than two images": int((sizes < FEWEST_MEMBERS).sum()),
        "concepts that miscount their images": int((sizes != concepts["n_images"].to_numpy()).sum()),
        "concepts without a best exemplar": len(known) - len(np.intersect1d(best, known)),
        "probabilities outside 0 to 1": int((~((shares >= 0) & (shares <= 1))).sum()),
    }


def collage_problems(stored: StoredAsset, members: pa.Table, concept_ids: Sequence[int]) -> Problems:
    """Each concept has a collage, whole on disk and readable, and there is no other."""
    expected = {collage_name(concept_id) for concept_id in concept_ids}
    shown = {collage_name(concept_id) for concept_id in exemplars_of(members)}
    return {
        "concepts without a collage": len(expected - set(stored.digests)),
        "collages of no concept": len(set(stored.digests) - expected),
        "concepts without an exemplar": len(expected - shown),
        "collages that cannot be read": sum(
            not _is_picture(stored, name) for name in expected & set(stored.digests)
        ),
        "files changed since they were stored": int(not stored.is_whole()),
    }


def label_problems(
    labels: pa.Table, words: pa.Table, vocabulary: pa.ChunkedArray, concept_ids: Sequence[int]
) -> Problems:
    """Each concept has a label, and where there is a vocabulary its words by each method; all of them are in it."""
    concepts = set(concept_ids)
    told = labels["concept_id"].to_pylist()
    worded: Iterable[set[int]] = [
        set(words.filter(pc.equal(words["method"], method))["concept_id"].to_pylist())
        for method in ("cosine", "ctfidf")
    ]
    strange = pc.invert(pc.is_in(words["word"], value_set=vocabulary.combine_chunks()))
    return {
        "concepts without a label": len(concepts.difference(told)) + len(told) - len(set(told)),
        "labels of no concept": len(set(told) - concepts),
        "empty labels": sum(not label for label in labels["label"].to_pylist()),
        "concepts without words": sum(len(concepts - ids) for ids in worded) if len(vocabulary) else 0,
        "words outside the vocabulary": pc.sum(strange).as_py() or 0,
    }


def _not_finite(rows: npt.NDArray[np.floating]) -> int:
    return int((~np.isfinite(rows).all(axis=1)).sum())


def _is_picture(stored: StoredAsset, name: str) -> bool:
    """Whether the header of a stored file is that of a picture; its digest proves the rest."""
    try:
        with Image.open(stored.file(name)) as picture:
            return min(picture.size) > 0
    except (OSError, UnidentifiedImageError):
        return False
