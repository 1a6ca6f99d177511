"""The end of the graph: what was made becomes the published state."""

from datetime import timedelta

import dagster as dg

from concept_assets.assets.concepts import clusters, reduced_vectors
from concept_assets.assets.embeddings import image_embeddings, vocabulary_embeddings
from concept_assets.assets.images import images
from concept_assets.assets.labels import labels
from concept_assets.assets.pictures import exemplar_collages
from concept_assets.assets.vocabulary import vocabulary
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
    code_version=CODE_VERSION,
    freshness_policy=dg.FreshnessPolicy.time_window(FRESH),
)
def concept_database(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """The DuckDB file that answers questions in SQL; its replacement publishes the refresh.

    Logs the refresh to MLflow, writes its history, and builds the file aside, so that readers see the old
    state or the new one. Where nothing changed, the standing file stays and there is no new refresh.
    """
    session = storage.session
    return standing(context, session) or publish(context, session)
