"""What the page of each asset shows: columns, lineage, numbers, pictures and links."""

from __future__ import annotations

import base64
import io
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import pytest
from PIL import Image

from concept_assets.columns import PRESENT, column_schema, database_lineage
from concept_assets.definitions import ASSETS, defs
from concept_assets.refresh import run_job
from concept_assets.versioning import current
from concept_lib.storage import Home

STORED = {  # the Parquet tables in which an asset keeps the columns that it makes
    "images": ("files", "contents"),
    "vocabulary": ("words",),
    "clusters": ("members", "concepts"),
    "labels": ("labels", "words"),
}


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def shown(asset: str) -> list[dict[str, dg.MetadataValue]]:
    """Metadata of each materialization of an asset in the home of the last refresh, oldest first."""
    with dg.DagsterInstance.get() as instance:
        records = instance.fetch_materializations(dg.AssetKey(asset), limit=20).records
    found = [record.asset_materialization for record in records]
    return [dict(one.metadata) for one in reversed(found) if one is not None]


def picture(metadata: dict[str, dg.MetadataValue]) -> Image.Image:
    text = metadata["preview"].value
    assert isinstance(text, str)
    assert len(text) < 41_000, "it lies in the event log"
    with Image.open(io.BytesIO(base64.b64decode(text.partition("base64,")[2].rstrip(")")))) as found:
        return found.convert("RGB")


@pytest.fixture
def pages(own_home: Home, run) -> Home:
    """A home of three runs: the first refresh, one with other labels, and one that reused everything."""
    run(own_home, {"labels.n_words": "4"})
    run_job(own_home, {}, {})
    return own_home


def test_columns_are_those_of_the_database(refreshed: Home) -> None:
    query = "SELECT table_name, column_name, data_type, comment FROM duckdb_columns()"
    real = {(table, column): (kind, comment) for table, column, kind, comment in rows(refreshed, query)}
    [(dim,)] = rows(refreshed, "SELECT embedding_dim FROM schema_info")
    for asset, tables in PRESENT.items():
        for column in column_schema(asset, dim).columns:
            assert column.description
            of = [real[table, column.name] for table in tables if (table, column.name) in real]
            assert (column.type, column.description) in of, (asset, column.name)
    for asset, names in STORED.items():
        stored = set().union(*(current(refreshed, asset).table(name).schema.names for name in names))
        made = {column.name for column in column_schema(asset).columns}
        assert made - stored <= {"embedding", "path", "n_files", "thumbnail"}, asset


def test_every_column_of_the_present_comes_from_an_asset() -> None:
    lineage = database_lineage().deps_by_column
    for deps in lineage.values():
        for dep in deps:
            columns = {column.name for column in column_schema(dep.asset_key.to_user_string()).columns}
            assert dep.column_name in columns
    [spec] = next(asset for asset in ASSETS if asset.key.to_user_string() == "concept_database").specs
    columns = {column.name for column in spec.metadata["dagster/column_schema"].columns}
    assert set(lineage) <= columns
    elsewhere = {"schema_info", "refreshes", "concept_history", "concept_events", "image_moves", "curation"}
    made_by_the_publication = {"concepts.born_refresh_id"}
    present = {name for name in columns if name.partition(".")[0] not in elsewhere}
    assert present - set(lineage) == made_by_the_publication
    assert [str(dep.asset_key.path[0]) for dep in lineage["concepts.label"]] == ["labels"]
    assert {dep.asset_key.path[0] for dep in lineage["concepts.map_x"]} == {"reduced_vectors"}


def test_every_page_has_an_owner_tags_and_columns() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert set(spec.tags) & {"subject"}, spec.key
        assert len(spec.description or "") > 60, spec.key
    for asset in ASSETS:
        [spec] = asset.specs
        assert "**Rows:**" in (spec.description or "")
        assert "**Units:**" in (spec.description or "")
        assert spec.metadata["dagster/column_schema"].columns


def kinds(metadata: dict[str, dg.MetadataValue]) -> dict[str, type]:
    """What the Plots tab can draw."""
    return {
        name: type(one)
        for name, one in metadata.items()
        if isinstance(one, dg.IntMetadataValue | dg.FloatMetadataValue)
    }


def test_the_pages_after_three_runs(pages: Home) -> None:
    [(n_images, n_concepts, n_outliers, silhouette)] = rows(
        pages,
        "SELECT n_images, n_concepts, n_outliers, metrics['silhouette'] FROM refreshes WHERE refresh_id = 2",
    )
    for asset in ASSETS:
        name = asset.key.to_user_string()
        found = shown(name)
        assert [one["reused"].value for one in found][-1] is True, name
        assert len({tuple(sorted(kinds(one).items(), key=str)) for one in found[-2:]}) == 1, name
        assert kinds(found[0]).keys() == kinds(found[-1]).keys() or name == "concept_database", name
        assert "seconds" in kinds(found[0]), name
    clusters, database = shown("clusters")[-1], shown("concept_database")[-1]
    for found in (clusters, database):
        assert found["images"].value == n_images == 48
        assert found["concepts"].value == n_concepts == 4
        assert found["outliers"].value == n_outliers
        assert found["silhouette"].value == pytest.approx(silhouette)
    _database_page(pages, database)
    _pictures(pages)


def _database_page(home: Home, database: dict[str, Any]) -> None:
    [(run_id, mlflow_run_id, title)] = rows(
        home, "SELECT dagster_run_id, mlflow_run_id, title FROM refreshes WHERE refresh_id = 2"
    )
    assert database["published_by"].value == run_id
    assert (
        database["mlflow_run"].value
        == f"http://127.0.0.1:5000/#/experiments/1/runs/{mlflow_run_id}?workflowType=machine_learning"
    )
    assert database["title"].value == title
    assert database["database"].value == str(home.database)
    tables = {record.data["table"]: record.data["rows"] for record in database["tables"].records}
    real = rows(home, "SELECT table_name FROM duckdb_tables()")
    assert tables == {name: rows(home, f"SELECT count(*) FROM {name}")[0][0] for (name,) in real}
    columns = {(one.name, one.type) for one in database["dagster/column_schema"].schema.columns}
    described = rows(
        home,
        "SELECT table_name || '.' || column_name, data_type FROM duckdb_columns() "
        "SEMI JOIN duckdb_tables() USING (table_name)",
    )
    assert columns == set(described)


def _pictures(home: Home) -> None:
    concept_ids = rows(home, "SELECT concept_id, collage FROM concept_summary")
    sheet = picture(shown("exemplar_collages")[-1])
    with Image.open(home.path / concept_ids[0][1]) as collage:
        first = collage.convert("RGB")
    first.thumbnail((216, 124))
    place = (20, 20 + 124 - first.height)
    crop = sheet.crop((*place, place[0] + first.width, place[1] + first.height))
    difference = np.abs(np.asarray(crop, float) - np.asarray(first, float)).mean()
    assert difference < 12, "the first cell is the largest concept's collage"
    assert picture(shown("labels")[-1]).size == sheet.size
    largest = shown("labels")[-1]["largest"].records
    labels = rows(home, "SELECT concept_id, label, n_images FROM concept_summary")
    assert [(one.data["concept"], one.data["label"], one.data["images"]) for one in largest] == labels
    for name in ("clusters", "reduced_vectors"):
        chart = np.asarray(picture(shown(name)[-1]))
        assert (chart[0, 0] == 255).all(), "white around it"
        assert (np.ptp(chart, axis=2) > 60).sum() > 100, "and something drawn in colour"
