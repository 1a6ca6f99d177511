"""The tables of the present, made from what the assets stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from concept_lib.errors import ConceptError
from concept_lib.storage import Home, StoredAsset

Assets: TypeAlias = Mapping[str, StoredAsset]


def vector_column(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Rows of a float32 matrix as an Arrow column."""
    flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def collage_name(concept_id: int) -> str:
    """File name of a concept's collage."""
    return f"concept_{concept_id:05d}.jpg"


def present_tables(home: Home, assets: Assets, born: Mapping[int, int]) -> dict[str, pa.Table]:
    """Every table of the present but ``schema_info``.

    Parameters
    ----------
    home
        Paths in the tables are relative to it.
    assets
        What each asset made, by name.
    born
        Refresh in which each living concept was born.
    """
    files = file_table(assets)
    members = assets["clusters"].table("members").drop_columns(["raw_concept_id"])
    ids = assets["image_embeddings"].table("ids")["image_id"]
    plane = np.asarray(assets["reduced_vectors"].array("map"), np.float64)
    placed = members.append_column("map_x", pa.array(plane[:, 0])).append_column(
        "map_y", pa.array(plane[:, 1])
    )
    words = assets["vocabulary"].table("words")
    image_vectors = assets["image_embeddings"].array("vectors")
    tables = {
        "images": image_table(home, assets, files),
        "image_files": files,
        "vocabulary": words,
        "concepts": concept_table(home, assets, placed, born),
        "concept_images": placed,
        "concept_words": assets["labels"].table("words"),
        "image_embeddings": pa.table({"image_id": ids, "embedding": vector_column(image_vectors)}),
    }
    if words.num_rows:
        vectors = vector_column(assets["vocabulary_embeddings"].array("vectors"))
        tables["word_embeddings"] = pa.table({"word": words["word"], "embedding": vectors})
    return tables


def concept_table(home: Home, assets: Assets, placed: pa.Table, born: Mapping[int, int]) -> pa.Table:
    """``concepts``: one row a living concept; its label stands at the median of its images on the map."""
    found = assets["clusters"].table("concepts")
    concept_ids = found["concept_id"].to_pylist()
    of_image = placed["concept_id"].to_numpy()
    plane = np.stack([placed["map_x"].to_numpy(), placed["map_y"].to_numpy()], axis=1)
    centres = np.array(
        [np.median(plane[of_image == concept_id], axis=0) for concept_id in concept_ids]
    ).reshape(-1, 2)
    collages = [home.relative(assets["exemplar_collages"].file(collage_name(i))) for i in concept_ids]
    columns = {
        "born_refresh_id": pa.array([born[i] for i in concept_ids], pa.int32()),
        "map_x": pa.array(centres[:, 0], pa.float64()),
        "map_y": pa.array(centres[:, 1], pa.float64()),
        "collage": pa.array(collages, pa.string()),
        "embedding": vector_column(assets["clusters"].array("vectors")),
    }
    labels = assets["labels"].table("labels")
    if labels["concept_id"].to_pylist() != concept_ids:
        raise ConceptError("labels and clusters are of different fits; run: concept refresh")
    for name in labels.schema.names[1:]:
        found = found.append_column(name, labels[name])
    for name, column in columns.items():
        found = found.append_column(name, column)
    return found


def file_table(assets: Assets) -> pa.Table:
    """``image_files``: what became of each file, embedding included."""
    failures = {
        row["image_id"]: row["reason"] for row in assets["image_embeddings"].table("failures").to_pylist()
    }
    files = assets["images"].table("files")
    rows = files.to_pylist()
    for row in rows:
        if row["status"] == "usable" and row["image_id"] in failures:
            row.update(status="failed", reason=failures[row["image_id"]])
    return pa.Table.from_pylist(rows, schema=files.schema)


def image_table(home: Home, assets: Assets, files: pa.Table) -> pa.Table:
    """``images``: one row a distinct usable image, shown by the first of its paths."""
    paths: dict[str, list[str]] = {}
    for row in files.select(["path", "status", "image_id"]).to_pylist():  # already in byte order of the paths
        if row["status"] == "usable":
            paths.setdefault(row["image_id"], []).append(row["path"])
    contents = {row["image_id"]: row for row in assets["images"].table("contents").to_pylist()}
    rows = [
        {name: contents[image_id][name] for name in ("image_id", "format", "width", "height", "bytes")}
        | {"path": found[0], "n_files": len(found), "thumbnail": home.relative(home.thumbnail(image_id))}
        for image_id, found in sorted(paths.items())
    ]
    kinds = {"path": pa.string(), "thumbnail": pa.string(), "n_files": pa.int32()}
    schema = assets["images"].table("contents").schema
    fields = [
        *(schema.field(name) for name in ("image_id", "format", "width", "height", "bytes")),
        *kinds.items(),
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))
