"""What Dagster shows of the published state: the same facts whether a run made it or found it standing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from concept_assets.columns import database_lineage, database_schema
from concept_assets.links import mlflow_run_url
from concept_assets.tracking.store import experiment_of
from concept_lib.database.columns import published_tables
from concept_lib.database.queries import last_refresh
from concept_lib.errors import ConceptError
from concept_lib.settings import Tracking
from concept_lib.storage import Home, StoredAsset


def database_metadata(
    home: Home, tracking: Tracking, embeddings: StoredAsset, warn: Callable[[str], None]
) -> Mapping[str, Any]:
    """Facts of the published state, numbers of its refresh, its tables and columns, and where to look on.

    Parameters
    ----------
    home
        Whose database it is.
    tracking
        Where its MLflow run is.
    embeddings
        The image vectors in it.
    warn
        Told when MLflow cannot be asked for the run.
    """
    row = last_refresh(home.database)
    if row is None:
        raise ConceptError(f"no database at {home.database}; run: concept rebuild")
    tables = published_tables(home.database)
    numbers = {name: value for name, value in row["metrics"].items() if not name.startswith("seconds_")}
    return {
        "refresh_id": row["refresh_id"],
        "title": row["title"],
        "mode": row["mode"],
        "database": dg.MetadataValue.path(str(home.database)),
        "published_by": dg.MetadataValue.dagster_run(row["dagster_run_id"]),
        "mlflow_run": _mlflow_run(home, tracking, row["mlflow_run_id"], warn),
        **numbers,
        "rows": sum(table.rows for table in tables),
        "bytes": home.database.stat().st_size,
        "tables": dg.MetadataValue.table(
            [
                dg.TableRecord({"table": table.name, "rows": table.rows, "what it is": table.comment})
                for table in tables
            ]
        ),
        "dagster/column_schema": database_schema(embeddings.info["dim"]),
        "dagster/column_lineage": database_lineage(),
    }


def _mlflow_run(
    home: Home, tracking: Tracking, run_id: str | None, warn: Callable[[str], None]
) -> dg.MetadataValue[Any]:
    """Link to the run's page, where the run can be found."""
    experiment = experiment_of(home, tracking, run_id, warn) if run_id is not None else None
    if run_id is None or experiment is None:
        return dg.MetadataValue.text("not tracked" if run_id is None else run_id)
    return dg.MetadataValue.url(mlflow_run_url(tracking, experiment, run_id))
