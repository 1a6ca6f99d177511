"""What trials start from: the published state, read once and without the lock on the home.

Stored assets lie under the hash of their content and are never changed in place, the twenty newest states are kept,
and the database is replaced as a whole; so reading them neither waits for a refresh nor holds one up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from concept_lib.curation import Actions, load_actions
from concept_lib.database.history import committed_histories, next_free_id
from concept_lib.database.members import standing_state
from concept_lib.database.queries import last_refresh
from concept_lib.database.state import DATABASE, KnownConcept, Published
from concept_lib.errors import ConceptError
from concept_lib.modeling.membership import Standing
from concept_lib.modeling.naming import Hedging
from concept_lib.settings import Settings
from concept_lib.storage import Home, StoredAsset


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabulary in the space of the images.

    Parameters
    ----------
    words, vectors
        v words, and a unit row each, float32 (v, d).
    midpoint, scale, hedging
        As in `concept_lib.modeling.naming.name_concepts`.
    """

    words: Sequence[str]
    vectors: npt.NDArray[np.float32]
    midpoint: float
    scale: float
    hedging: Hedging | None


@dataclass(frozen=True, slots=True)
class Basis:
    """What all trials of an experiment share.

    Parameters
    ----------
    published
        The state that a refresh would start from.
    settings
        Those that it was published with.
    image_ids, vectors
        n images, and a unit row each, float32 (n, d).
    standing
        Its concepts and layouts.
    reduced
        The layouts as they are stored.
    relative_validity
        Of its fit, None where it has none.
    words
        None without a vocabulary.
    labels
        Its labels and words.
    actions
        What the user decided about concepts.
    """

    published: Published
    settings: Settings
    image_ids: Sequence[str]
    vectors: npt.NDArray[np.float32]
    standing: Standing
    reduced: StoredAsset
    relative_validity: float | None
    words: Words | None
    labels: StoredAsset
    actions: Actions


def published_refresh(home: Home) -> Mapping[str, Any]:
    """Row of the refresh that is published.

    Raises
    ------
    ConceptError
        When there is none.
    """
    row = last_refresh(home.database)
    if row is None:
        raise ConceptError(
            f"nothing is published in {home.path} yet, so there is nothing to try; run: concept refresh"
        )
    return row


def published_basis(home: Home) -> Basis:
    """Read the published state of a home.

    Raises
    ------
    ConceptError
        When there is none, or its files are missing or damaged.
    """
    row = published_refresh(home)
    assets = _assets(home, row["data_versions"]["assets"])
    image_ids = assets["image_embeddings"].table("ids")["image_id"].to_pylist()
    clusters, reduced = assets["clusters"], assets["reduced_vectors"]
    standing = standing_state(
        image_ids,
        clusters.table("members"),
        np.array(reduced.array("space")),
        np.array(reduced.array("map")),
        clusters.info["n_fit"],
    )
    return Basis(
        published=_published(home, row, image_ids, standing, assets),
        settings=Settings.model_validate(row["settings"]),
        image_ids=image_ids,
        vectors=np.array(assets["image_embeddings"].array("vectors")),
        standing=standing,
        reduced=reduced,
        relative_validity=clusters.info["relative_validity"],
        words=_words(assets),
        labels=assets["labels"],
        actions=load_actions(home),
    )


def _assets(home: Home, versions: Mapping[str, Mapping[str, str]]) -> dict[str, StoredAsset]:
    found = {
        name: home.load_asset(name, entry["data_version"])
        for name, entry in versions.items()
        if name != DATABASE
    }
    whole = {name: stored for name, stored in found.items() if stored is not None and stored.is_whole()}
    for name in found:
        if name not in whole:
            raise ConceptError(
                f"files of {home.asset_folder(name)} are missing or damaged; to make them anew, run: concept refresh"
            )
    return whole


def _published(
    home: Home,
    row: Mapping[str, Any],
    image_ids: Sequence[str],
    standing: Standing,
    assets: Mapping[str, StoredAsset],
) -> Published:
    """The published state, as far as trials need it."""
    folders = [
        folder for folder in committed_histories(home.histories)[0] if int(folder.name) <= row["refresh_id"]
    ]
    sizes = assets["clusters"].table("concepts")
    labels = assets["labels"].table("labels")["label"].to_pylist()
    vectors = np.array(assets["clusters"].array("vectors"))
    ids, n_images = sizes["concept_id"].to_pylist(), sizes["n_images"].to_pylist()
    return Published(
        refresh=row,
        inputs=row["data_versions"]["inputs"],
        data_versions=row["data_versions"]["assets"],
        next_free_id=next_free_id(folders),
        concepts={
            key: KnownConcept(label, n, vector)
            for key, label, n, vector in zip(ids, labels, n_images, vectors, strict=True)
        },
        assignment=dict(zip(image_ids, standing.members.concept_ids.tolist(), strict=True)),
    )


def _words(assets: Mapping[str, StoredAsset]) -> Words | None:
    words, embeddings = (
        assets["vocabulary"].table("words")["word"].to_pylist(),
        assets["vocabulary_embeddings"],
    )
    if not words:
        return None
    hedging = embeddings.info["hedging"]
    return Words(
        words,
        np.array(embeddings.array("vectors")),
        embeddings.info["midpoint"],
        embeddings.info["scale"],
        Hedging(**hedging) if hedging else None,
    )
