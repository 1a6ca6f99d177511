"""Which published columns an asset makes: its column schema, and the column lineage of the database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from concept_assets.inputs import key
from concept_lib.database.columns import Column, published_columns

EVERY: Sequence[str] = ()
PRESENT: Mapping[str, Mapping[str, Sequence[str]]] = {
    "images": {"image_files": EVERY, "images": EVERY},
    "vocabulary": {"vocabulary": EVERY},
    "image_embeddings": {"image_embeddings": EVERY},
    "vocabulary_embeddings": {"word_embeddings": EVERY},
    "reduced_vectors": {"concept_images": ("map_x", "map_y"), "concepts": ("map_x", "map_y")},
    "clusters": {
        "concept_images": ("image_id", "concept_id", "probability", "similarity", "placed", "exemplar_rank"),
        "concepts": ("concept_id", "cluster", "n_images", "n_fitted", "embedding"),
    },
    "labels": {
        "concepts": ("concept_id", "label", "named", "label_confidence", "label_method"),
        "concept_words": EVERY,
    },
    "exemplar_collages": {"concepts": ("collage",)},
}
"""Columns that each asset makes, by published table; `EVERY` is all of them."""

PAST = {"concept_history": "concepts", "image_moves": "concept_images"}
"""Tables of the past whose columns are those of the present as they once were."""


def column_schema(asset: str, embedding_dim: int = 512) -> dg.TableSchema:
    """Columns that an asset makes, with the types and the comments of the published tables."""
    columns = {
        column.name: _column(column)
        for table, names in PRESENT[asset].items()
        for column in _chosen(published_columns(embedding_dim)[table], names)
    }
    return dg.TableSchema(columns=list(columns.values()))


def database_schema(embedding_dim: int = 512) -> dg.TableSchema:
    """Columns of every published table, as ``table.column``, tagged with the assets that make them.

    The tags say in the open-source UI what it keeps of the lineage to itself.
    """
    sources = _sources()
    return dg.TableSchema(
        columns=[
            _column(column, f"{table}.", sources.get(f"{table}.{column.name}", []))
            for table, columns in published_columns(embedding_dim).items()
            for column in columns
        ]
    )


def database_lineage() -> dg.TableColumnLineage:
    """Assets and columns that each published column comes from."""
    return dg.TableColumnLineage(deps_by_column=_sources())


def _sources() -> dict[str, list[dg.TableColumnDep]]:
    sources: dict[str, list[dg.TableColumnDep]] = {}
    for asset, tables in PRESENT.items():
        for table, names in tables.items():
            for column in _chosen(published_columns()[table], names):
                found = dg.TableColumnDep(asset_key=key(asset), column_name=column.name)
                sources.setdefault(f"{table}.{column.name}", []).append(found)
    return {**sources, **dict(_of_the_past(sources))}


def _of_the_past(
    sources: Mapping[str, list[dg.TableColumnDep]],
) -> Iterator[tuple[str, list[dg.TableColumnDep]]]:
    for past, present in PAST.items():
        for column in published_columns()[past]:
            name = "concept_id" if column.name.endswith("_concept_id") else column.name
            if (found := sources.get(f"{present}.{name}")) is not None:
                yield f"{past}.{column.name}", found


def _chosen(columns: Sequence[Column], names: Sequence[str]) -> list[Column]:
    return [column for column in columns if not names or column.name in names]


def _column(column: Column, prefix: str = "", sources: Sequence[dg.TableColumnDep] = ()) -> dg.TableColumn:
    return dg.TableColumn(
        name=f"{prefix}{column.name}",
        type=column.type,
        description=column.comment,
        constraints=dg.TableColumnConstraints(nullable=column.nullable),
        tags={source.asset_key.to_user_string(): "" for source in sources},
    )
