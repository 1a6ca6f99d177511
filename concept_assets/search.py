"""Search by any text: the published vectors, and the text tower that goes with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from concept_lib.database.queries import find_concepts, find_images, last_refresh, stored_word_vector
from concept_lib.errors import ConceptError
from concept_lib.settings import Settings
from concept_lib.storage import Home


def search(home: Home, text: str, *, top: int, images: bool) -> list[dict[str, Any]]:
    """Find the concepts or images nearest to a text, best first.

    Parameters
    ----------
    home
        Its published database is searched.
    text
        A word of the vocabulary is looked up; any other text is embedded by the refresh's own model.
    top
        How many rows.
    images
        Images instead of concepts.
    """
    if not text.strip():
        raise ConceptError("nothing to look for: give a text, such as: concept find beach")
    vector = stored_word_vector(home.database, text)
    if vector is None:
        vector = _embed(home, text)
    return (find_images if images else find_concepts)(home.database, vector, top)


def _embed(home: Home, text: str) -> np.ndarray:
    from concept_lib.embedding.encoder import load_encoder

    latest = last_refresh(home.database)
    if latest is None:
        raise ConceptError(f"no database at {home.database}; run: concept refresh")
    section = Settings.model_validate(latest["settings"]).embedding
    model = load_encoder(
        section.model, text_model=section.text_model, revision=section.revision, **section.arithmetic
    )
    vector: np.ndarray = model.encode_texts([text])[0]
    return vector
