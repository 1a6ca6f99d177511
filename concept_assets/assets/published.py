"""The end of the graph: what was made becomes the published state."""

from datetime import timedelta

import dagster as dg

from concept_assets.assets.concepts import clusters, reduced_vectors
from concept_assets.assets.embeddings import image_embeddings, vocabulary_embeddings
from concept_assets.assets.images import images
from concept_assets.assets.labels import labels
from concept_assets.assets.pictures import exemplar_collages
from concept_assets.assets.vocabulary import vocabulary
from concept_assets.columns import database_schema
from concept_assets.failures import in_one_line
from concept_assets.inputs import key, setting
from concept_assets.publication import publish, standing
from concept_assets.resources import StorageResource

CODE_VERSION = "1"
FRESH = timedelta(hours=26)  # the nightly verification materializes the database though nothing changed
UPSTREAM = [
    images,
    vocabulary,
    image_embeddings,
    vocabulary_embeddings,
    reduced_vectors,
    clusters,
    exemplar_collages,
    labels,
]


@dg.asset(
    deps=[*UPSTREAM, key(setting("tracking"))],
    group_name="published",
    kinds={"python", "duckdb", "mlflow"},
    owners=["team:concept-atlas"],
    tags={"subject": "concepts", "cost": "light"},
    metadata={"dagster/column_schema": database_schema(), "dagster/table_name": "concepts.duckdb"},
    code_version=CODE_VERSION,
    freshness_policy=dg.FreshnessPolicy.time_window(FRESH),
)
def concept_database(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """The DuckDB file that answers questions in SQL; its replacement publishes the refresh.

    **Rows:** fourteen tables, of the present (`images`, `concepts`, `concept_images` and so on) and of the past
    (`refreshes`, `concept_events` and so on). Start with `SELECT * FROM concept_summary`.

    **Units:** times in UTC; `similarity` a cosine, -1 to 1; `probability` and `label_confidence` 0 to 1; `seconds` of
    this step alone.

    Logs the refresh to MLflow, writes its history, and builds the file aside, so that readers see the old state or the
    new one. Where nothing changed, the standing file stays and there is no new refresh.
    """
    session = storage.session
    with in_one_line(session.home):
        return standing(context, session) or publish(context, session)
