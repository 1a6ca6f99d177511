"""A published refresh as the state of a ConceptModel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from concept_lib.database.queries import last_refresh, open_database
from concept_lib.errors import ConceptError
from concept_lib.model.state import ConceptState


def published_model(database: Path) -> tuple[ConceptState, dict[str, Any]]:
    """Read the concepts, images and vectors that a database shows, and the parameters that go with them.

    Parameters
    ----------
    database
        ``concepts.duckdb`` in its home, beside which its collages lie.

    Raises
    ------
    ConceptError
        When there is no database, or it cannot be read.
    """
    latest = last_refresh(database)
    if latest is None:
        raise ConceptError(f"no database at {database}; run: concept refresh")
    with open_database(database) as connection:
        images = connection.sql(
            "SELECT i.path, m.concept_id, m.probability, m.exemplar_rank, e.embedding FROM concept_images m "
            "JOIN images i USING (image_id) JOIN image_embeddings e USING (image_id) ORDER BY image_id"
        ).to_arrow_table()
        concepts = connection.sql("SELECT * FROM concepts ORDER BY concept_id").to_arrow_table()
        words = connection.sql(
            "SELECT w.concept_id, w.word, w.score FROM concept_words w JOIN concepts c USING (concept_id) "
            "WHERE w.method = CASE c.label_method WHEN 'user' THEN 'cosine' ELSE c.label_method END "
            "ORDER BY w.concept_id, w.rank"
        ).fetchall()
    rows = concepts.to_pylist()
    found: dict[int, list[tuple[str, float]]] = {}
    for concept, word, score in words:
        found.setdefault(concept, []).append((word, score))
    settings = latest["settings"]
    state = ConceptState(
        names=images["path"].to_pylist(),
        vectors=_matrix(images["embedding"]),
        concepts=images["concept_id"].to_numpy().astype(np.int32),
        probabilities=images["probability"].to_numpy().astype(np.float32),
        ranks=np.array([rank or 0 for rank in images["exemplar_rank"].to_pylist()], np.int32),
        reasons={},
        concept_ids=concepts["concept_id"].to_numpy().astype(np.int32),
        concept_vectors=_matrix(concepts["embedding"]),
        collages={row["concept_id"]: _collage(database.parent / row["collage"]) for row in rows},
        labels={row["concept_id"]: row["label"] for row in rows},
        confidences={
            row["concept_id"]: row["label_confidence"] for row in rows if row["label_confidence"] is not None
        },
        words=found,
    )
    embedding = settings["embedding"]
    return state, {
        "embedding_model": embedding["model"],
        "text_model": embedding["text_model"],
        "random_state": settings["reduction"]["seed"],
        "diversity": settings["exemplars"]["diversity"],
        "n_exemplars": settings["exemplars"]["n_exemplars"],
        "ctfidf": settings["labels"]["method"] == "ctfidf",
        "top_n_words": settings["labels"]["n_words"],
    }


def _matrix(column: Any) -> np.ndarray:  # noqa: ANN401 - a chunked array of lists of one length
    chunks = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks if len(chunk)]
    if not chunks:
        return np.zeros((0, 0), np.float32)
    return np.concatenate(chunks).reshape(len(column), -1).astype(np.float32)


def _collage(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise ConceptError(f"the collage {path} cannot be read; run: concept refresh") from error
