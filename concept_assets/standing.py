"""The standing fit as a run finds it: the published reduction and concepts, seen from the images of now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
import numpy as np

from concept_assets.progress import warn
from concept_assets.resources import Session
from concept_lib.database.members import raw_clusters, standing_state
from concept_lib.modeling.membership import Standing
from concept_lib.settings import Settings
from concept_lib.storage import StoredAsset

REFIT_RULES = {"refit", "refit_after", "refit_outliers"}  # say when to fit, not how


def published_standing(
    context: dg.AssetExecutionContext, session: Session, embeddings: StoredAsset
) -> Standing | None:
    """The published concepts, seen from the images of now; None at first, and where their files are damaged."""
    images, reduced, clusters = (
        session.load_published(name) for name in ("image_embeddings", "reduced_vectors", "clusters")
    )
    if images is None or reduced is None or clusters is None:
        if session.published.refresh is not None:
            warn(context, "files of the published concepts are missing or damaged; images are fitted anew")
        return None
    if "n_fit" not in clusters.info:  # of a release that knew no assignment: its ids stand in the history
        return None
    return standing_state(
        embeddings.table("ids")["image_id"].to_pylist(),
        clusters.table("members"),
        np.asarray(reduced.array("space")),
        np.asarray(reduced.array("map")),
        clusters.info["n_fit"],
    )


def reduction_recipe(settings: Settings, embeddings: StoredAsset, code_version: str) -> dict[str, Any]:
    """All but the images that bears on a layout: another one needs another fit."""
    section = settings.reduction.model_dump(exclude=REFIT_RULES)
    return {"code": code_version, "model": embeddings.info["fingerprint"], **section}


def published_info(session: Session, asset: str) -> Mapping[str, Any]:
    """Facts that the published version of an asset keeps; empty where there is none."""
    stored = session.load_published(asset)
    return stored.info if stored is not None else {}


def published_numbers(session: Session) -> dict[int, int]:
    """HDBSCAN's number of each published concept."""
    stored = session.load_published("clusters")
    return raw_clusters(stored.table("raw_clusters")) if stored is not None else {}
