"""From vectors to concepts: reduction and clusters."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.compute as pc

from concept_assets.assets.embeddings import image_embeddings
from concept_assets.columns import column_schema
from concept_assets.inputs import CURATION, key, setting
from concept_assets.previews import PREVIEW, preview
from concept_assets.progress import reporter
from concept_assets.resources import Session, StorageResource
from concept_assets.standing import REFIT_RULES, published_fit, reduction_recipe, unfit_reason
from concept_assets.versioning import Upstream, current
from concept_lib.curation import merges_in_force, pins_in_force
from concept_lib.database.members import (
    PLACED,
    cluster_table,
    member_table,
    placed_table,
    raw_cluster_table,
    with_placed,
)
from concept_lib.database.samples import layout_sample, sample_arrays
from concept_lib.modeling.curation import merged_ids
from concept_lib.modeling.fit import fit_concepts, members_of
from concept_lib.modeling.learn import learn_layouts
from concept_lib.modeling.membership import Membership, Standing, dissolved
from concept_lib.modeling.portraits import portray
from concept_lib.modeling.quality import cluster_metrics
from concept_lib.modeling.refit import refit_reason
from concept_lib.modeling.sampling import Sample, content_keys
from concept_lib.modeling.standing import carry_on
from concept_lib.pictures.chart import map_thumbnail, size_histogram
from concept_lib.storage import Contents, StoredAsset

CODE_VERSION = "2"
REDUCTION, CLUSTERING, EXEMPLARS, IDENTITY = map(
    setting, ("reduction", "clustering", "exemplars", "identity")
)


@dg.asset(
    deps=[image_embeddings, key(REDUCTION)],
    group_name="concepts",
    kinds={"python", "numpy", "umap"},
    owners=["team:concept-atlas"],
    tags={"subject": "images", "cost": "heavy"},
    metadata={"dagster/column_schema": column_schema("reduced_vectors")},
    code_version=CODE_VERSION,
)
def reduced_vectors(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """Image vectors in few dimensions: a space for the clusters, and a map for people.

    **Rows:** one an image, in the order of `image_embeddings`.

    **Units:** the map has none: only near and far mean something on it.

    **Cost:** few new images are placed among their nearest neighbours in the standing fit, and the others stay where
    they are. Where too much changed, UMAP learns both anew; the map starts from the standing one and is laid over it.
    The log says which, and why. Of more than `reduction.fit_sample` images UMAP learns from a stratified sample, and
    the others are placed among their nearest in it.
    """
    session = storage.session

    def compute(upstream: Upstream) -> Contents:
        embeddings = upstream["image_embeddings"]
        image_ids, vectors = _image_vectors(embeddings)
        recipe = reduction_recipe(session.settings, embeddings, CODE_VERSION)
        before = published_fit(context, session, embeddings)
        standing = before.standing if before else None
        reason = unfit_reason(before, recipe)
        if before is not None and reason is None:
            section = session.settings.reduction
            carried = carry_on(vectors, before.standing, n_neighbors=section.n_neighbors)
            reason = refit_reason(
                carried.change,
                **section.model_dump(include=REFIT_RULES),
                min_concept_size=before.clusters["min_concept_size"],
            )
        if before is None or reason is not None:
            info = {"recipe": recipe, "reason": reason}
            return _learnt(context, session, image_ids, vectors, standing, info)
        new = np.flatnonzero(~before.standing.known)
        context.log.info(f"the standing fit serves; {len(new):,} images are assigned to it")
        return Contents(
            arrays={"space": carried.space, "map": carried.plane},
            tables={"placed": placed_table(image_ids, carried.members, new)},
            info=before.reduced,
        )

    def metadata(stored: StoredAsset) -> Mapping[str, Any]:
        image_ids = current(session.home, "image_embeddings").table("ids")["image_id"].to_pylist()
        known = session.published.assignment
        concept_ids = np.array([known.get(image_id, -1) for image_id in image_ids], np.int32)
        return {PREVIEW: _map(np.asarray(stored.array("map")), concept_ids), **_reduced(stored)}

    return session.run(context, compute, metadata)


def _image_vectors(embeddings: StoredAsset) -> tuple[list[str], np.ndarray]:
    return embeddings.table("ids")["image_id"].to_pylist(), np.asarray(embeddings.array("vectors"))


def _learnt(
    context: dg.AssetExecutionContext,
    session: Session,
    image_ids: Sequence[str],
    vectors: np.ndarray,
    standing: Standing | None,
    info: dict[str, Any],
) -> Contents:
    """UMAP of all images or of a sample, twice over the same neighbours."""
    context.log.info(f"fitting: {info['reason']}")
    section = session.settings.reduction
    learnt = learn_layouts(
        vectors,
        content_keys(image_ids, section.seed),
        **section.model_dump(exclude=REFIT_RULES),
        standing=None if standing is None else standing.plane,
        progress=reporter(context, "stages of the reduction"),
    )
    recipe = dict(info["recipe"])
    if learnt.sample is None:
        del recipe["fit_sample"]
    else:
        context.log.info(
            f"{len(learnt.sample.rows):,} of {len(image_ids):,} images are fitted, a stratified sample"
        )
    return Contents(
        arrays={"space": learnt.space, "map": learnt.plane, **sample_arrays(learnt.sample)},
        tables={"placed": PLACED.empty_table()},
        info={**info, "recipe": recipe, "learnt": session.refresh_id},
    )


def _map(plane: np.ndarray, concept_ids: np.ndarray) -> dg.MarkdownMetadataValue:
    known = bool((concept_ids >= 0).any())
    caption = (
        "a colour a concept of the refresh before; grey: none, or new"
        if known
        else "darker where more are alike"
    )
    return preview(map_thumbnail(plane, concept_ids, caption), "the map, one dot an image")


def _reduced(stored: StoredAsset) -> Mapping[str, Any]:
    space = stored.array("space")
    return {
        "dagster/row_count": space.shape[0],
        "images": space.shape[0],
        "dimensions": space.shape[1],
        "assigned_now": stored.table("placed").num_rows,
        "learnt_in_refresh": stored.info["learnt"],
    }


@dg.asset(
    deps=[image_embeddings, reduced_vectors, key(CLUSTERING), key(EXEMPLARS), key(IDENTITY), key(CURATION)],
    group_name="concepts",
    kinds={"python", "parquet", "hdbscan"},
    owners=["team:concept-atlas"],
    tags={"subject": "concepts", "cost": "light"},
    metadata={"dagster/column_schema": column_schema("clusters")},
    code_version=CODE_VERSION,
)
def clusters(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """Concepts: who belongs to which, their exemplars, and a unit vector each.

    **Rows:** one an image (table `concept_images`), and one a concept (table `concepts`). An image of no concept is an
    outlier, concept -1.

    **Units:** `probability` 0 to 1; `similarity` the cosine to the concept's vector, -1 to 1; `silhouette` -1 to 1,
    the higher the clearer the concepts stand apart.

    Under a standing fit images keep their concepts and new ones
    have been assigned. After a new fit HDBSCAN's groups take over the ids of the published concepts by matching on
    the images that both share; the others get ids that were never used. Concepts that the user pinned outlive it, and
    those that the user merged are shown as one.
    """
    session = storage.session

    def compute(upstream: Upstream) -> Contents:
        embeddings, reduced = upstream["image_embeddings"], upstream["reduced_vectors"]
        image_ids, vectors = _image_vectors(embeddings)
        before = published_fit(context, session, embeddings)
        standing = before.standing if before else None
        space = np.asarray(reduced.array("space"))
        recipe = {"code": CODE_VERSION, **session.settings.clustering.model_dump()}
        same_layout = before is not None and before.clusters["learnt"] == reduced.info["learnt"]
        if before is not None and same_layout and before.clusters["recipe"] == recipe:
            members = with_placed(image_ids, before.standing.members, reduced.table("placed"))
            numbers, info, present = before.numbers, dict(before.clusters), before.standing.present
        else:
            sample = layout_sample(reduced, vectors, standing, session.settings.reduction)
            members, numbers, info = _fitted(session, image_ids, space, standing, vectors, sample)
            present = np.ones(len(image_ids), bool)
            reason = "the clustering settings changed" if same_layout else reduced.info["reason"]
            info |= {"recipe": recipe, "learnt": reduced.info["learnt"], "reason": reason}
        shown = merged_ids(members.raw_ids, merges_in_force(session.inputs.actions))
        members = dissolved(members._replace(concept_ids=shown))
        portraits = portray(
            vectors,
            members,
            **session.settings.exemplars.model_dump(),
            standing=standing if _same_exemplars(session, embeddings) else None,
        )
        context.log.info(
            f"{len(portraits.concept_ids):,} concepts; {int((members.concept_ids < 0).sum()):,} of {len(image_ids):,} "
            "images are in none"
        )
        info["metrics"] = cluster_metrics(space, members.concept_ids, info["relative_validity"])
        return Contents(
            arrays={
                "vectors": portraits.vectors,
                **({} if np.array_equal(present, members.fitted) else {"present": present}),
            },
            tables={
                "members": member_table(image_ids, members, portraits),
                "concepts": cluster_table(members, portraits, numbers),
                "raw_clusters": raw_cluster_table(numbers),
            },
            info=info,
        )

    return session.run(context, compute, _clusters)


def _fitted(
    session: Session,
    image_ids: Sequence[str],
    space: np.ndarray,
    standing: Standing | None,
    vectors: np.ndarray,
    sample: Sample | None,
) -> tuple[Membership, Mapping[int, int], dict[str, Any]]:
    """HDBSCAN's groups by lasting ids, its numbers of them, and the facts of the fit."""
    published = session.published
    if standing is not None:
        before = np.where(standing.known, standing.members.raw_ids, -2)
    else:
        before = np.array([published.assignment.get(image_id, -2) for image_id in image_ids], np.int32)
    fit = fit_concepts(
        space,
        before,
        published.next_free_id,
        min_concept_size=session.settings.clustering.min_concept_size,
        min_samples=session.settings.clustering.min_samples,
        min_jaccard=session.settings.identity.min_jaccard,
        vectors=vectors,
        sample=sample,
    )
    shares = None if standing is None else standing.members.probabilities
    members = members_of(fit, before, shares, pins_in_force(session.inputs.actions))
    info = {
        "fit_refresh_id": session.refresh_id,
        "n_fit": len(fit.ids),
        "min_concept_size": fit.min_concept_size,
        "relative_validity": fit.relative_validity if np.isfinite(fit.relative_validity) else None,
    }
    return members, fit.clusters, info


def _same_exemplars(session: Session, embeddings: StoredAsset) -> bool:
    """Whether the published exemplars were chosen by the same settings from vectors of the same model."""
    published, section = session.published, setting("exemplars")
    same_settings = published.inputs.get(section) == session.inputs.versions[section]
    return same_settings and published.model == embeddings.info["fingerprint"]


def _clusters(stored: StoredAsset) -> Mapping[str, Any]:
    members, sizes = stored.table("members"), stored.table("concepts")["n_images"].to_pylist()
    outliers = pc.sum(pc.equal(members["concept_id"], -1)).as_py() or 0
    return {
        PREVIEW: preview(size_histogram(sizes, outliers), "how many concepts have how many images"),
        "dagster/row_count": members.num_rows,
        "images": members.num_rows,
        "concepts": len(sizes),
        "outliers": outliers,
        "assigned": pc.sum(pc.equal(members["placed"], "assigned")).as_py() or 0,
        "fitted_in_refresh": stored.info["fit_refresh_id"],
        "min_concept_size": stored.info["min_concept_size"],
        **stored.info["metrics"],
        "dagster/column_schema": column_schema("clusters", stored.array("vectors").shape[1]),
    }
