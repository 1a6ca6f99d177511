"""A small published state made of random numbers, with the truth beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from concept_lib.database.history import PAST_SCHEMAS
from concept_lib.database.publish import SCHEMA_VERSION, build_database

DIM = 6
TIME = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@dataclass
class State:
    """Arrays and lists that a test compares SQL answers with."""

    image_ids: list[str]
    paths: list[str]
    image_vectors: np.ndarray
    members: np.ndarray  # concept id of each image, -1: outlier
    probability: np.ndarray
    exemplar_rank: list[int | None]
    concept_ids: list[int]
    labels: list[str]
    concept_vectors: np.ndarray
    words: list[str]
    word_vectors: np.ndarray
    tables: dict[str, pa.Table] = field(default_factory=dict)

    def write(self, path: Path) -> Path:
        build_database(path, self.tables, embedding_dim=DIM)
        return path


def fixed_lists(vectors: np.ndarray) -> pa.Array:
    flat = pa.array(np.asarray(vectors, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, DIM)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def content_id(number: int) -> str:
    return hashlib.sha256(f"image {number}".encode()).hexdigest()


def refresh_row(refresh_id: int, **changes: object) -> pa.Table:
    row = {
        "refresh_id": refresh_id,
        "mode": "fit",
        "fit_refresh_id": refresh_id,
        "title": f"refresh {refresh_id}",
        "started_at": TIME,
        "published_at": TIME,
        "dagster_run_id": "run",
        "metrics": {"outlier_share": 0.25, "seconds_fit": 2.0},
        "settings": json.dumps({"labels": {"n_shown": 3}}),
        "data_versions": json.dumps({"images": {"fingerprint": "f", "data_version": "v"}}),
        **dict.fromkeys(
            ("n_files", "n_failed", "n_images", "n_embedded", "n_reused", "n_concepts", "n_outliers"), 0
        ),
        **changes,
    }
    schema = PAST_SCHEMAS["refreshes"]
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names}], schema=schema)


def make_state(*, n_images: int = 40, n_concepts: int = 3, n_words: int = 9, seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    state = State(
        image_ids=[content_id(i) for i in range(n_images)],
        paths=[f"kind{i % 4}/picture {i:03d}.jpg" for i in range(n_images)],
        image_vectors=unit(rng.normal(size=(n_images, DIM))),
        members=rng.integers(-1, n_concepts, n_images) if n_concepts else np.full(n_images, -1),
        probability=rng.integers(1, 4, n_images).astype(np.float32) / 4,  # with ties
        exemplar_rank=[None] * n_images,
        concept_ids=[10 + 5 * c for c in range(n_concepts)],
        labels=[f"label {c}" for c in range(n_concepts)],
        concept_vectors=unit(rng.normal(size=(n_concepts, DIM))),
        words=["cat", "Cat", "café", "SUN", *(f"word{w}" for w in range(n_words))][:n_words],
        word_vectors=unit(rng.normal(size=(n_words, DIM))),
    )
    for c in range(n_concepts):
        for rank, row in enumerate(rng.permutation(np.flatnonzero(state.members == c))[:3], start=1):
            state.exemplar_rank[row] = rank
    state.members = np.array([state.concept_ids[m] if m >= 0 else -1 for m in state.members], dtype=np.int32)
    state.tables = {**_image_tables(state), **_concept_tables(state, rng), **_past_tables(state)}
    return state


def _image_tables(state: State) -> dict[str, pa.Table]:
    n = len(state.image_ids)
    files = [
        *(
            (path.encode(), path, "usable", None, i)
            for path, i in zip(state.paths, state.image_ids, strict=True)
        ),
        *((b"zz/copy.jpg", "zz/copy.jpg", "usable", None, i) for i in state.image_ids[:1]),
        *((b"aa/copy.jpg", "aa/copy.jpg", "usable", None, i) for i in state.image_ids[:1]),
        (b"broken\xff.jpg", r"broken\xFF.jpg", "failed", "truncated data", content_id(-1)),
        (b"a_link.jpg", "a_link.jpg", "skipped", "a link out of the folder", None),
    ]
    columns = ("path_bytes", "path", "status", "reason", "image_id")
    similarity = [
        float(vector @ state.concept_vectors[state.concept_ids.index(member)]) if member >= 0 else None
        for vector, member in zip(state.image_vectors, state.members, strict=True)
    ]
    return {
        "images": pa.table(
            {
                "image_id": pa.array(state.image_ids, pa.string()),
                "path": pa.array(state.paths, pa.string()),
                "format": pa.array(["JPEG"] * n, pa.string()),
                "width": pa.array([256] * n, pa.int32()),
                "height": pa.array([192] * n, pa.int32()),
                "bytes": pa.array([1000 + i for i in range(n)], pa.int64()),
                "n_files": pa.array([3] * min(n, 1) + [1] * max(n - 1, 0), pa.int32()),
                "thumbnail": pa.array([f"cache/{i}.jpg" for i in state.image_ids], pa.string()),
            }
        ),
        "image_files": pa.Table.from_pylist([dict(zip(columns, file, strict=True)) for file in files]),
        "image_embeddings": pa.table(
            {
                "embedding": fixed_lists(state.image_vectors),
                "image_id": pa.array(state.image_ids, pa.string()),
            }
        ),
        "concept_images": pa.table(
            {
                "image_id": pa.array(state.image_ids, pa.string()),
                "concept_id": pa.array(state.members, pa.int32()),
                "probability": pa.array(state.probability, pa.float32()),
                "similarity": pa.array(similarity, pa.float32()),
                "placed": pa.array(["fitted"] * n, pa.string()),
                "map_x": pa.array([0.5] * n, pa.float64()),
                "map_y": pa.array([0.5] * n, pa.float64()),
                "exemplar_rank": pa.array(state.exemplar_rank, pa.int32()),
            }
        ),
    }


def _concept_tables(state: State, rng: np.random.Generator) -> dict[str, pa.Table]:
    has_words = bool(state.words)
    rows = [
        {
            "concept_id": concept_id,
            "label": label if has_words else "unnamed",
            "named": has_words,
            "label_confidence": 0.75 if has_words else None,
            "label_method": "cosine" if has_words else None,
            "n_images": max(int((state.members == concept_id).sum()), 2),
            "n_fitted": 2,
            "cluster": cluster,
            "born_refresh_id": 1,
            "map_x": 0.0,
            "map_y": 0.0,
            "collage": f"assets/c/{concept_id}.jpg",
        }
        for cluster, (concept_id, label) in enumerate(zip(state.concept_ids, state.labels, strict=True))
    ]
    words = [
        {
            "concept_id": concept_id,
            "method": method,
            "rank": rank,
            "word": state.words[int(pick)],
            "score": 1 / rank,
        }
        for concept_id in state.concept_ids
        for method in ("cosine", "ctfidf")
        for rank, pick in enumerate(rng.permutation(len(state.words))[:7], start=1)
    ]
    tables = {
        "schema_info": pa.table(
            {
                "schema_version": [SCHEMA_VERSION],
                "product_version": ["test"],
                "refresh_id": [1],
                "model_fingerprint": ["m"],
                "embedding_dim": [DIM],
            }
        ),
        "vocabulary": pa.table(
            {
                "word": pa.array(state.words, pa.string()),
                "word_id": pa.array(range(len(state.words)), pa.int32()),
                "source": pa.array(["nouns"] * len(state.words), pa.string()),
            }
        ),
        "word_embeddings": pa.table(
            {"word": pa.array(state.words, pa.string()), "embedding": fixed_lists(state.word_vectors)}
        ),
    }
    if rows:
        vectors = fixed_lists(state.concept_vectors)
        tables["concepts"] = pa.Table.from_pylist(rows).append_column("embedding", vectors)
    if words:
        tables["concept_words"] = pa.Table.from_pylist(words)
    return tables


def _past_tables(state: State) -> dict[str, pa.Table]:
    concepts = [
        {
            "refresh_id": 1,
            "concept_id": concept_id,
            "n_images": 2,
            "label": label,
            "named": True,
            "drift": 0.125,
            "embedding": vector.tolist(),
        }
        for concept_id, label, vector in zip(
            state.concept_ids, state.labels, state.concept_vectors, strict=True
        )
    ]
    moves = [
        {"refresh_id": 1, "image_id": image_id, "to_concept_id": int(member)}
        for image_id, member in zip(state.image_ids, state.members, strict=True)
    ]
    return {
        "refreshes": refresh_row(1, n_images=len(state.image_ids), n_concepts=len(state.concept_ids)),
        "concept_history": past_table("concept_history", concepts),
        "image_moves": past_table("image_moves", moves),
    }


def past_table(name: str, rows: list[dict[str, object]]) -> pa.Table:
    schema = PAST_SCHEMAS[name]
    return pa.Table.from_pylist([{key: row.get(key) for key in schema.names} for row in rows], schema=schema)


@pytest.fixture
def state() -> State:
    return make_state()


@pytest.fixture
def database(state: State, tmp_path: Path) -> Path:
    return state.write(tmp_path / "concepts.duckdb")


@pytest.fixture(name="make_state")
def make_state_fixture() -> Callable[..., State]:
    return make_state


@pytest.fixture(name="past_table")
def past_table_fixture() -> Callable[..., pa.Table]:
    return past_table


@pytest.fixture(name="refresh_row")
def refresh_row_fixture() -> Callable[..., pa.Table]:
    return refresh_row
