"""From vectors to named concepts: reduction, clusters, labels."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.compute as pc

from concept_assets.assets.embeddings import image_embeddings, vocabulary_embeddings
from concept_assets.assets.vocabulary import vocabulary
from concept_assets.inputs import key, setting
from concept_assets.progress import reporter, warn
from concept_assets.resources import Session, StorageResource
from concept_assets.versioning import Upstream
from concept_lib.database.present import cluster_table, label_tables, member_table, standing_exemplars
from concept_lib.embedding.model_files import DEMO
from concept_lib.errors import ConceptError
from concept_lib.modeling.exemplars import StandingExemplars
from concept_lib.modeling.fit import fit_concepts
from concept_lib.modeling.identity import match_concepts, survivors
from concept_lib.modeling.layout import aligned, standing_layout, starting_layout
from concept_lib.modeling.naming import Hedging, Naming, name_concepts
from concept_lib.modeling.neighbours import exact_neighbors
from concept_lib.modeling.reduce import reduce
from concept_lib.settings import Labels
from concept_lib.storage import Contents, StoredAsset

CODE_VERSION = "1"
REDUCTION, CLUSTERING, EXEMPLARS, IDENTITY, LABELS = map(
    setting, ("reduction", "clustering", "exemplars", "identity", "labels")
)


@dg.asset(
    deps=[image_embeddings, key(REDUCTION)],
    group_name="concepts",
    kinds={"python", "numpy", "umap"},
    owners=["team:concept-atlas"],
    code_version=CODE_VERSION,
)
def reduced_vectors(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """UMAP of the image vectors, twice over the same neighbours: for the clusters, and for the map.

    The map starts from the published one and is laid over it, so that people find their way in it again.
    """
    session = storage.session
    section = session.settings.reduction

    def compute(upstream: Upstream) -> Contents:
        vectors = np.asarray(upstream["image_embeddings"].array("vectors"))
        standing = _standing_map(context, session, upstream["image_embeddings"])
        progress = reporter(context, "stages of the reduction")
        neighbors = exact_neighbors(vectors, section.n_neighbors)
        progress(1, 3)
        umap = partial(
            reduce, vectors, n_neighbors=section.n_neighbors, seed=section.seed, neighbors=neighbors
        )
        space = umap(n_components=section.n_components, min_dist=section.min_dist)
        progress(2, 3)
        start = starting_layout(standing, neighbors[0], section.seed)
        plane = aligned(umap(n_components=2, min_dist=section.map_min_dist, start=start), standing)
        return Contents(arrays={"space": space, "map": plane})

    return session.run(context, compute, _reduced)


def _standing_map(context: dg.AssetExecutionContext, session: Session, embeddings: StoredAsset) -> np.ndarray:
    """Published place of each image on the map, (n, 2); NaN for those that were not there."""
    image_ids = embeddings.table("ids")["image_id"].to_pylist()
    images, reduced = (session.load_published(name) for name in ("image_embeddings", "reduced_vectors"))
    if images is None or reduced is None:
        if session.published.refresh is not None:
            warn(context, "the files of the published map are missing or damaged; the new map begins anew")
        return np.full((len(image_ids), 2), np.nan)
    return standing_layout(
        image_ids, images.table("ids")["image_id"].to_pylist(), np.asarray(reduced.array("map"))
    )


def _reduced(stored: StoredAsset) -> Mapping[str, Any]:
    space = stored.array("space")
    return {"dagster/row_count": space.shape[0], "dimensions": space.shape[1]}


@dg.asset(
    deps=[image_embeddings, reduced_vectors, key(CLUSTERING), key(EXEMPLARS), key(IDENTITY)],
    group_name="concepts",
    kinds={"python", "parquet", "hdbscan"},
    owners=["team:concept-atlas"],
    code_version=CODE_VERSION,
)
def clusters(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """HDBSCAN's groups as concepts: members, exemplars and a unit vector each.

    An image of no group is an outlier, concept -1. Groups take over the ids of the published concepts by matching on
    the images that both share; the others get ids that were never used.
    """
    session = storage.session
    settings = session.settings

    def compute(upstream: Upstream) -> Contents:
        embeddings = upstream["image_embeddings"]
        fit = fit_concepts(
            np.asarray(embeddings.array("vectors")),
            np.asarray(upstream["reduced_vectors"].array("space")),
            min_concept_size=settings.clustering.min_concept_size,
            min_samples=settings.clustering.min_samples,
            n_exemplars=settings.exemplars.n_exemplars,
            diversity=settings.exemplars.diversity,
            standing=_standing_exemplars(context, session, embeddings),
        )
        image_ids = embeddings.table("ids")["image_id"].to_pylist()
        ids = match_concepts(
            *survivors(session.published.assignment, dict(zip(image_ids, fit.labels.tolist(), strict=True))),
            n_clusters=len(fit.vectors),
            next_free_id=session.published.next_free_id,
            min_jaccard=settings.identity.min_jaccard,
        )
        return Contents(
            arrays={"vectors": fit.vectors},
            tables={"members": member_table(image_ids, fit, ids), "concepts": cluster_table(fit, ids)},
            info={"min_concept_size": fit.min_concept_size, "metrics": fit.metrics},
        )

    return session.run(context, compute, _clusters)


def _standing_exemplars(
    context: dg.AssetExecutionContext, session: Session, embeddings: StoredAsset
) -> StandingExemplars | None:
    """Published exemplars, where the same settings chose them from vectors of the same model."""
    published, section = session.published, setting("exemplars")
    same_settings = published.inputs.get(section) == session.inputs.versions[section]
    if not same_settings or published.model != embeddings.info["fingerprint"]:
        return None
    clusters = session.load_published("clusters")
    if clusters is None:
        warn(context, "the files of the published concepts are missing or damaged; all choose exemplars anew")
        return None
    return standing_exemplars(embeddings.table("ids")["image_id"].to_pylist(), clusters.table("members"))


def _clusters(stored: StoredAsset) -> Mapping[str, Any]:
    members = stored.table("members")
    return {
        "dagster/row_count": members.num_rows,
        "concepts": stored.table("concepts").num_rows,
        "outliers": pc.sum(pc.equal(members["concept_id"], -1)).as_py() or 0,
        "min_concept_size": stored.info["min_concept_size"],
        **stored.info["metrics"],
    }


@dg.asset(
    deps=[image_embeddings, clusters, vocabulary, vocabulary_embeddings, key(LABELS)],
    group_name="concepts",
    kinds={"python", "parquet"},
    owners=["team:concept-atlas"],
    code_version=CODE_VERSION,
)
def labels(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """Words of each concept by cosine and by c-TF-IDF; the shown method's best words are its label.

    A concept whose confidence is below the least one is unnamed.
    """
    section = storage.session.settings.labels

    def compute(upstream: Upstream) -> Contents:
        concept_ids = upstream["clusters"].table("concepts")["concept_id"].to_pylist()
        words = upstream["vocabulary"].table("words")["word"].to_pylist()
        naming = _name(upstream, concept_ids, words, section) if words else None
        if naming and upstream["image_embeddings"].info["model"] == DEMO:
            _doubt_the_demo_model(context, naming)
        tables = label_tables(concept_ids, words, naming, section.method)
        return Contents(tables=tables, info={"metrics": naming.metrics if naming else {}})

    return storage.session.run(context, compute, _labels)


def _doubt_the_demo_model(context: dg.AssetExecutionContext, naming: Naming) -> None:
    """Say which model to take where most concepts are of kinds that the demo model has never seen."""
    n_unnamed, n_concepts = int((~naming.named).sum()), len(naming.named)
    if 2 * n_unnamed > n_concepts:
        warn(
            context,
            f"{n_unnamed} of {n_concepts} concepts are unnamed, since the demo model knows few kinds of things; "
            "--model clip-ViT-B-32 is the model for these images",
        )


def _name(upstream: Upstream, concept_ids: Sequence[int], words: Sequence[str], section: Labels) -> Naming:
    """Load the arrays and name the concepts."""
    of_image = upstream["clusters"].table("members")["concept_id"].to_numpy()
    position = {concept_id: row for row, concept_id in enumerate(concept_ids)}
    embeddings, word_embeddings = upstream["image_embeddings"], upstream["vocabulary_embeddings"]
    if embeddings.info["dim"] != word_embeddings.info["dim"]:
        raise ConceptError(
            f"image vectors of {embeddings.info['model']} have {embeddings.info['dim']} dimensions and word vectors "
            f"{word_embeddings.info['dim']}; choose the --model that made the image vectors, or --vocabulary none"
        )
    hedging = word_embeddings.info["hedging"]
    return name_concepts(
        np.asarray(upstream["clusters"].array("vectors")),
        np.asarray(embeddings.array("vectors")),
        np.array([position.get(concept_id, -1) for concept_id in of_image], np.int32),
        words,
        np.asarray(word_embeddings.array("vectors")),
        method=section.method,
        n_words=section.n_words,
        n_shown=section.n_shown,
        min_confidence=section.min_confidence,
        midpoint=word_embeddings.info["midpoint"],
        scale=word_embeddings.info["scale"],
        hedging=Hedging(**hedging) if hedging else None,
    )


def _labels(stored: StoredAsset) -> Mapping[str, Any]:
    table = stored.table("labels")
    return {
        "dagster/row_count": table.num_rows,
        "named": pc.sum(table["named"]).as_py() or 0,
        **stored.info["metrics"],
    }
