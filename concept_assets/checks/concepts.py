"""Checks of the concepts, looked at before they are published."""

import dagster as dg

from concept_assets.assets.concepts import clusters, reduced_vectors
from concept_assets.assets.labels import labels
from concept_assets.assets.pictures import exemplar_collages
from concept_assets.checks.verdict import proof, share, warning
from concept_assets.resources import StorageResource
from concept_assets.versioning import current
from concept_lib.soundness import (
    collage_problems,
    concept_problems,
    label_problems,
    layout_problems,
    vector_problems,
)

MAX_OUTLIERS = 0.5  # share of the images; beyond it most of the collection is in no concept
AGAIN = "refresh again; where it says so again, please report it"


@dg.asset_check(asset=reduced_vectors, blocking=True)
def every_image_has_its_place(storage: StorageResource) -> dg.AssetCheckResult:
    """Every image has finite coordinates, in the space of the clusters and on the map: groups are sought in them."""
    home = storage.session.home
    n_images = current(home, "image_embeddings").table("ids").num_rows
    stored = current(home, "reduced_vectors")
    problems = layout_problems(stored.array("space"), stored.array("map"), n_images)
    return proof(problems, "try another reduction.n_neighbors or reduction.seed", images=n_images)


@dg.asset_check(asset=clusters, blocking=True)
def concepts_are_whole(storage: StorageResource) -> dg.AssetCheckResult:
    """Every image has one row; every concept has members, exemplars and a unit vector, and counts them right."""
    home = storage.session.home
    image_ids = current(home, "image_embeddings").table("ids")["image_id"]
    stored = current(home, "clusters")
    concepts = stored.table("concepts")
    problems = {
        **concept_problems(image_ids, stored.table("members"), concepts),
        **vector_problems(stored.array("vectors"), concepts.num_rows),
    }
    return proof(problems, AGAIN, images=len(image_ids), concepts=concepts.num_rows)


@dg.asset_check(asset=clusters)
def few_outliers(storage: StorageResource) -> dg.AssetCheckResult:
    """At most half of the images belong to no concept: a collection of outliers says little."""
    members = current(storage.session.home, "clusters").table("members")["concept_id"].to_pylist()
    return warning(
        "share of outliers",
        share(members.count(-1), len(members)),
        MAX_OUTLIERS,
        "try a smaller clustering.min_concept_size",
    )


@dg.asset_check(asset=exemplar_collages, blocking=True)
def every_concept_has_a_collage(storage: StorageResource) -> dg.AssetCheckResult:
    """Every concept has a picture that can be opened: the database, MLflow and the pages point to it."""
    home = storage.session.home
    found, stored = current(home, "clusters"), current(home, "exemplar_collages")
    concept_ids = found.table("concepts")["concept_id"].to_pylist()
    problems = collage_problems(stored, found.table("members"), concept_ids)
    return proof(problems, AGAIN, concepts=len(concept_ids), collages=len(stored.digests))


@dg.asset_check(asset=labels, blocking=True)
def every_concept_has_words(storage: StorageResource) -> dg.AssetCheckResult:
    """Every concept has a label and, where there is a vocabulary, its nearest words; each of them is in it."""
    home = storage.session.home
    concept_ids = current(home, "clusters").table("concepts")["concept_id"].to_pylist()
    words, stored = current(home, "vocabulary").table("words")["word"], current(home, "labels")
    problems = label_problems(stored.table("labels"), stored.table("words"), words, concept_ids)
    return proof(problems, AGAIN, concepts=len(concept_ids), words=len(words))


CHECKS = [
    every_image_has_its_place,
    concepts_are_whole,
    few_outliers,
    every_concept_has_a_collage,
    every_concept_has_words,
]
