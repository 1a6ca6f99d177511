"""Puts the parts together: assets, resources, the refresh job."""

from __future__ import annotations

import os

import dagster as dg

from concept_assets import inputs
from concept_assets.assets import concepts, embeddings, images, labels, pictures, published, vocabulary
from concept_assets.automation import refresh_job
from concept_assets.checks import CHECKS
from concept_assets.resources import EncoderResource, StorageResource

ASSETS: list[dg.AssetsDefinition] = [
    images.images,
    vocabulary.vocabulary,
    embeddings.image_embeddings,
    embeddings.vocabulary_embeddings,
    concepts.reduced_vectors,
    concepts.clusters,
    labels.labels,
    pictures.exemplar_collages,
    published.concept_database,
]

defs = dg.Definitions(
    assets=[*inputs.SPECS, *ASSETS],
    asset_checks=CHECKS,
    jobs=[refresh_job],
    resources={
        "storage": StorageResource(home=os.environ.get("CONCEPT_HOME", "data")),
        "encoder": EncoderResource(),
    },
    # Steps share one process: the encoder is loaded once, and heavy imports are paid once.
    executor=dg.in_process_executor,
)
