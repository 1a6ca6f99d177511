"""Memberships and portraits as tables, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from concept_lib.modeling.membership import Membership, Standing
from concept_lib.modeling.portraits import Portraits

PLACED = pa.schema(
    [
        ("image_id", pa.string()),
        ("raw_concept_id", pa.int32()),
        ("concept_id", pa.int32()),
        ("probability", pa.float32()),
    ]
)


def member_table(image_ids: Sequence[str], members: Membership, portraits: Portraits) -> pa.Table:
    """One row an image: its concept, strength of membership and rank as an exemplar."""
    outliers = members.concept_ids < 0
    return pa.table(
        {
            "image_id": pa.array(image_ids, pa.string()),
            "concept_id": pa.array(members.concept_ids, pa.int32()),
            "raw_concept_id": pa.array(members.raw_ids, pa.int32()),
            "probability": pa.array(members.probabilities, pa.float32()),
            "similarity": pa.array(portraits.similarities, pa.float32(), mask=outliers),
            "placed": pc.if_else(pa.array(members.fitted, pa.bool_()), "fitted", "assigned"),
            "exemplar_rank": pa.array(portraits.ranks, pa.int32(), mask=portraits.ranks == 0),
        }
    )


def cluster_table(members: Membership, portraits: Portraits, clusters: Mapping[int, int]) -> pa.Table:
    """One row a concept: its id, HDBSCAN's number of it (None where it has none) and its size."""
    held = members.concept_ids >= 0
    own = np.searchsorted(portraits.concept_ids, members.concept_ids[held])
    n_concepts = len(portraits.concept_ids)
    sizes = np.bincount(own, minlength=n_concepts)
    fitted = np.bincount(own, members.fitted[held], minlength=n_concepts)
    return pa.table(
        {
            "concept_id": pa.array(portraits.concept_ids, pa.int32()),
            "cluster": pa.array([clusters.get(int(key)) for key in portraits.concept_ids], pa.int32()),
            "n_images": pa.array(sizes, pa.int32()),
            "n_fitted": pa.array(fitted.astype(np.int32), pa.int32()),
        }
    )


def raw_cluster_table(clusters: Mapping[int, int]) -> pa.Table:
    """HDBSCAN's number of each concept, those that the user merged away included."""
    return pa.table(
        {
            "raw_concept_id": pa.array(sorted(clusters), pa.int32()),
            "cluster": pa.array([clusters[key] for key in sorted(clusters)], pa.int32()),
        }
    )


def raw_clusters(table: pa.Table) -> dict[int, int]:
    """Read `raw_cluster_table` back."""
    return dict(zip(table["raw_concept_id"].to_pylist(), table["cluster"].to_pylist(), strict=True))


def placed_table(image_ids: Sequence[str], members: Membership, rows: npt.NDArray[np.intp]) -> pa.Table:
    """Where some images were placed, by their rows."""
    return pa.table(
        {
            "image_id": pa.array([image_ids[row] for row in rows], pa.string()),
            "raw_concept_id": members.raw_ids[rows],
            "concept_id": members.concept_ids[rows],
            "probability": members.probabilities[rows],
        },
        schema=PLACED,
    )


def with_placed(image_ids: Sequence[str], members: Membership, placed: pa.Table) -> Membership:
    """Take in what `placed_table` says of images that the members do not know yet."""
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    rows = np.fromiter((row_of[image_id] for image_id in placed["image_id"].to_pylist()), np.intp)
    raw_ids, ids, shares = (
        members.raw_ids.copy(),
        members.concept_ids.copy(),
        members.probabilities.copy(),
    )
    raw_ids[rows] = placed["raw_concept_id"].to_numpy()
    ids[rows] = placed["concept_id"].to_numpy()
    shares[rows] = placed["probability"].to_numpy()
    return Membership(raw_ids, ids, shares, members.fitted)


def standing_state(
    image_ids: Sequence[str],
    members: pa.Table,
    space: npt.NDArray[np.float32],
    plane: npt.NDArray[np.float32],
    n_fit: int,
    present: npt.NDArray[np.bool_] | None = None,
) -> Standing:
    """An earlier state, seen from the images of now.

    Parameters
    ----------
    image_ids
        Images of now.
    members
        What `member_table` made of the earlier state.
    space, plane
        Its coordinates, in the order of that table.
    n_fit
        Images that were there at its fit.
    present
        Whether each image of that table was one of them; by default those that are fitted were.
    """
    row_of = {image_id: row for row, image_id in enumerate(members["image_id"].to_pylist())}
    rows = np.fromiter((row_of.get(image_id, -1) for image_id in image_ids), np.intp, len(image_ids))

    def seen(name: str, default: int) -> npt.NDArray[np.generic]:
        column = pc.fill_null(members[name], default).to_numpy()
        return np.append(column, np.array(default, column.dtype))[rows]

    fitted = pc.equal(members["placed"], "fitted").to_numpy().astype(bool)
    return Standing(
        known=rows >= 0,
        members=Membership(
            raw_ids=seen("raw_concept_id", -1).astype(np.int32),
            concept_ids=seen("concept_id", -1).astype(np.int32),
            probabilities=seen("probability", 0).astype(np.float32),
            fitted=np.append(fitted, False)[rows],
        ),
        ranks=seen("exemplar_rank", 0).astype(np.int32),
        space=np.vstack([space, np.full((1, space.shape[1]), np.nan, np.float32)])[rows],
        plane=np.vstack([plane, np.full((1, plane.shape[1]), np.nan, np.float32)])[rows],
        n_fit=n_fit,
        present=np.append(fitted if present is None else present, False)[rows],
    )


def exemplars_of(members: pa.Table) -> dict[int, list[str]]:
    """Exemplars of each concept, best first, by concept id."""
    found: dict[int, list[tuple[int, str]]] = {}
    for row in members.select(["image_id", "concept_id", "exemplar_rank"]).to_pylist():
        if row["exemplar_rank"] is not None:
            found.setdefault(row["concept_id"], []).append((row["exemplar_rank"], row["image_id"]))
    return {
        concept_id: [image_id for _, image_id in sorted(found[concept_id])] for concept_id in sorted(found)
    }


def largest_concepts(table: pa.Table, n: int) -> list[tuple[int, int]]:
    """Ids and sizes of the largest concepts of a `cluster_table`; of two equal ones the older id comes first.

    Examples
    --------
    >>> largest_concepts(pa.table({"concept_id": [0, 1, 2], "n_images": [9, 40, 40]}), 2)
    [(1, 40), (2, 40)]
    """
    sizes = zip(table["concept_id"].to_pylist(), table["n_images"].to_pylist(), strict=True)
    return sorted(sizes, key=lambda concept: (-concept[1], concept[0]))[:n]
