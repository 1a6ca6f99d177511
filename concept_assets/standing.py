"""The standing fit as a run finds it: the published reduction and concepts, seen from the images of now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np

from concept_assets.progress import warn
from concept_assets.resources import Session
from concept_lib.database.members import raw_clusters, standing_state
from concept_lib.modeling.membership import Standing
from concept_lib.settings import REFIT_RULES as REFIT_RULES
from concept_lib.settings import Settings
from concept_lib.storage import StoredAsset


@dataclass(frozen=True, slots=True)
class PublishedFit:
    """The fit that stands.

    Parameters
    ----------
    standing
        Its concepts, seen from the images of now.
    reduced, clusters
        Facts that the two assets keep of it.
    numbers
        HDBSCAN's number of each concept.
    """

    standing: Standing
    reduced: Mapping[str, Any]
    clusters: Mapping[str, Any]
    numbers: Mapping[int, int]


def published_fit(
    context: dg.AssetExecutionContext, session: Session, embeddings: StoredAsset
) -> PublishedFit | None:
    """Load the published fit; None at first, and where its files are damaged."""
    images, reduced, clusters = (
        session.load_published(name) for name in ("image_embeddings", "reduced_vectors", "clusters")
    )
    if images is None or reduced is None or clusters is None:
        if session.published.refresh is not None:
            warn(context, "files of the published concepts are missing or damaged; images are fitted anew")
        return None
    if "n_fit" not in clusters.info:  # of a release that knew no assignment: its ids stand in the history
        return None
    standing = standing_state(
        embeddings.table("ids")["image_id"].to_pylist(),
        clusters.table("members"),
        np.asarray(reduced.array("space")),
        np.asarray(reduced.array("map")),
        clusters.info["n_fit"],
        np.asarray(clusters.array("present")) if "present.npy" in clusters.digests else None,
    )
    return PublishedFit(standing, reduced.info, clusters.info, raw_clusters(clusters.table("raw_clusters")))


def reduction_recipe(settings: Settings, embeddings: StoredAsset, code_version: str) -> dict[str, Any]:
    """All but the images that bears on a layout: another one needs another fit.

    A layout that was learnt from all images keeps no `fit_sample`: no bound asks for another one.
    """
    section = settings.reduction.model_dump(exclude=REFIT_RULES)
    return {"code": code_version, "model": embeddings.info["fingerprint"], **section}


def unfit_reason(before: PublishedFit | None, recipe: Mapping[str, Any]) -> str | None:
    """Why a fit cannot be carried on, whatever the images; None where it can."""
    if before is None:
        return "there is no standing fit"
    known = before.reduced["recipe"]
    words = {"model": "another model", "code": "another release"}
    changed = [
        words.get(name, f"reduction.{name} changed")
        for name in recipe
        if known.get(name) != recipe[name] and (name != "fit_sample" or name in known)
    ]
    if not changed and not before.standing.members.fitted.any():
        return "nothing is left of the standing fit"
    return ", ".join(changed) or None
