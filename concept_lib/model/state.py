"""What a fitted ConceptModel knows, and how it is kept: a folder of safetensors, Parquet, JSON and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from concept_lib.errors import ConceptError
from concept_lib.pictures.collage import encode_jpeg
from concept_lib.storage import write_file

VERSION = 1
ABOUT, ARRAYS, IMAGES, CONCEPTS, WORDS = (
    "model.json",
    "vectors.safetensors",
    "images.parquet",
    "concepts.parquet",
    "words.parquet",
)
WORD_SCHEMA = pa.schema([("concept", pa.int32()), ("word", pa.string()), ("score", pa.float32())])


@dataclass(slots=True)
class ConceptState:
    """The concepts of one fit; row by row an image, or a concept.

    Attributes
    ----------
    names
        Of the images.
    vectors
        float32 (n, d), unit rows; zero for images that could not be used.
    concepts
        Concept of each image, int32 (n,), -1 for outliers and for images that could not be used.
    probabilities
        Strength of membership, float32 (n,).
    ranks
        1, 2, … for exemplars, 0 for other images; int32 (n,).
    reasons
        Why an image could not be used, by its position.
    concept_ids
        By growing number, int32 (k,).
    concept_vectors
        float32 (k, d), unit rows.
    collages
        Picture of each concept.
    labels, confidences
        Shown name of each concept, and how far it may be trusted; empty without docs.
    words
        Best words of each concept with their scores; empty without docs.
    """

    names: list[str]
    vectors: np.ndarray
    concepts: np.ndarray
    probabilities: np.ndarray
    ranks: np.ndarray
    reasons: dict[int, str]
    concept_ids: np.ndarray
    concept_vectors: np.ndarray
    collages: dict[int, Image.Image]
    labels: dict[int, str] = field(default_factory=dict)
    confidences: dict[int, float] = field(default_factory=dict)
    words: dict[int, list[tuple[str, float]]] = field(default_factory=dict)

    @property
    def usable(self) -> np.ndarray:
        """Positions of the images that could be used."""
        return np.array([row for row in range(len(self.names)) if row not in self.reasons], np.intp)

    def members(self, concept: int) -> list[int]:
        """Positions of the images of a concept: exemplars first, then by probability."""
        rows = np.flatnonzero(self.concepts == concept)
        ranks = np.where(self.ranks[rows] > 0, self.ranks[rows], np.iinfo(np.int32).max)
        return [int(row) for row in rows[np.lexsort((-self.probabilities[rows], ranks))]]

    def exemplars(self, concept: int) -> list[int]:
        """Positions of the exemplars of a concept, best first."""
        shown = np.flatnonzero((self.concepts == concept) & (self.ranks > 0))
        return [int(row) for row in shown[np.argsort(self.ranks[shown])]]

    def sizes(self) -> dict[int, int]:
        """Images of each concept, largest concept first, equal ones by number."""
        counts = [(int(concept), int((self.concepts == concept).sum())) for concept in self.concept_ids]
        return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))


def write_state(folder: Path, state: ConceptState, params: Mapping[str, Any]) -> None:
    """Keep a state in a folder; what the folder held of another one is replaced.

    Parameters
    ----------
    params
        Of the model; JSON.
    """
    from safetensors.numpy import save

    arrays = {"image_vectors": state.vectors, "concept_vectors": state.concept_vectors}
    write_file(folder / ARRAYS, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))
    for name, table in _tables(state).items():
        write_file(folder / name, lambda file, table=table: pq.write_table(table, file))  # type: ignore[misc]
    for concept, collage in state.collages.items():
        write_file(folder / _collage(concept), encode_jpeg(collage.convert("RGB"), quality=95))
    about = {"version": VERSION, "params": dict(params)}
    write_file(folder / ABOUT, json.dumps(about, indent=2).encode())  # last: it vouches for the others


def read_state(folder: Path) -> tuple[ConceptState, dict[str, Any]]:
    """Read what `write_state` wrote.

    Raises
    ------
    ConceptError
        When there is no model, it is damaged, or a newer version wrote it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        about = json.loads((folder / ABOUT).read_bytes())
        version, params = int(about["version"]), dict(about["params"])
    except FileNotFoundError:
        raise ConceptError(f"no saved model in {folder}: {ABOUT} is missing") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConceptError(f"{folder / ABOUT} is damaged; save the model again") from error
    if version > VERSION:
        raise ConceptError(
            f"{folder} was saved in form {version} and this version of Concept Atlas reads up to {VERSION}; upgrade it"
        )
    try:
        arrays = load((folder / ARRAYS).read_bytes())
        images, concepts, words = (pq.read_table(folder / name) for name in (IMAGES, CONCEPTS, WORDS))
        collages = {row: _read_picture(folder / _collage(row)) for row in concepts["concept"].to_pylist()}
    except (OSError, SafetensorError, pa.ArrowException) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise ConceptError(f"the saved model in {folder} is damaged: {why}; save it again") from error
    return _state(arrays, images, concepts, words, collages), params


def _collage(concept: int) -> str:
    return f"collages/{concept:05d}.jpg"


def _read_picture(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return picture.convert("RGB")


def _tables(state: ConceptState) -> dict[str, pa.Table]:
    ids = [int(concept) for concept in state.concept_ids]
    rows = [(concept, word, score) for concept, found in state.words.items() for word, score in found]
    return {
        IMAGES: pa.table(
            {
                "name": pa.array(state.names, pa.string()),
                "concept": pa.array(state.concepts, pa.int32()),
                "probability": pa.array(state.probabilities, pa.float32()),
                "exemplar_rank": pa.array(state.ranks, pa.int32()),
                "reason": pa.array([state.reasons.get(row) for row in range(len(state.names))], pa.string()),
            }
        ),
        CONCEPTS: pa.table(
            {
                "concept": pa.array(ids, pa.int32()),
                "label": pa.array([state.labels.get(concept) for concept in ids], pa.string()),
                "confidence": pa.array([state.confidences.get(concept) for concept in ids], pa.float64()),
            }
        ),
        WORDS: pa.Table.from_pydict(
            {name: [row[i] for row in rows] for i, name in enumerate(WORD_SCHEMA.names)}, schema=WORD_SCHEMA
        ),
    }


def _state(
    arrays: Mapping[str, np.ndarray],
    images: pa.Table,
    concepts: pa.Table,
    words: pa.Table,
    collages: dict[int, Image.Image],
) -> ConceptState:
    ids = concepts["concept"].to_pylist()
    found: dict[int, list[tuple[str, float]]] = {}
    for row in words.to_pylist():
        found.setdefault(row["concept"], []).append((row["word"], row["score"]))
    given = {
        name: {
            key: value
            for key, value in zip(ids, concepts[name].to_pylist(), strict=True)
            if value is not None
        }
        for name in ("label", "confidence")
    }
    return ConceptState(
        names=images["name"].to_pylist(),
        vectors=arrays["image_vectors"],
        concepts=images["concept"].to_numpy().astype(np.int32),
        probabilities=images["probability"].to_numpy(),
        ranks=images["exemplar_rank"].to_numpy().astype(np.int32),
        reasons={row: why for row, why in enumerate(images["reason"].to_pylist()) if why is not None},
        concept_ids=np.array(ids, np.int32),
        concept_vectors=arrays["concept_vectors"],
        collages=collages,
        labels=given["label"],
        confidences=given["confidence"],
        words=found,
    )
