"""The assets, each after those that it reads."""

from __future__ import annotations

import dagster as dg

from concept_assets.assets import concepts, embeddings, images, labels, pictures, published, vocabulary

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
