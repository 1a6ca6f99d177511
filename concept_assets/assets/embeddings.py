"""Images and words as unit vectors of one space."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from concept_assets.assets.images import images
from concept_assets.assets.vocabulary import vocabulary
from concept_assets.columns import column_schema
from concept_assets.inputs import key, setting
from concept_assets.progress import reporter, warn
from concept_assets.resources import EncoderResource, Session, StorageResource
from concept_assets.versioning import Upstream
from concept_lib.embedding.cache import VectorCache
from concept_lib.embedding.engine import embed_images
from concept_lib.embedding.model_files import pixel_size
from concept_lib.embedding.precomputed import load_vectors, match_vectors, vectors_fingerprint
from concept_lib.images.contents import usable_paths
from concept_lib.storage import Contents, StoredAsset

CODE_VERSION = "1"
SETTINGS = setting("embedding")
FAILURES = pa.schema([("image_id", pa.string()), ("reason", pa.string())])


@dg.asset(
    deps=[images, key(SETTINGS)],
    group_name="images",
    kinds={"python", "numpy", "pytorch"},
    owners=["team:concept-atlas"],
    tags={"subject": "images", "cost": "heavy"},
    metadata={"dagster/column_schema": column_schema("image_embeddings")},
    code_version=CODE_VERSION,
)
def image_embeddings(
    context: dg.AssetExecutionContext, storage: StorageResource, encoder: EncoderResource
) -> dg.MaterializeResult[None]:
    """Images as vectors: what looks alike lies close together.

    **Rows:** one a usable image, in the order of the image ids. An image that cannot be embedded has a row in
    `failures` that says why.

    **Units:** float32 vectors of length 1, so that a product of two is their cosine, -1 to 1.

    **Cost:** vectors are kept by content and encoder, so only images that this encoder never saw are embedded; or they
    come from a file of precomputed vectors.
    """
    session = storage.session

    def compute(upstream: Upstream) -> Contents:
        paths = usable_paths(upstream["images"].table("files"))
        if session.settings.embedding.embeddings is not None:
            return _precomputed(Path(session.settings.embedding.embeddings), paths)
        return _embedded(context, session, encoder, paths)

    return session.run(context, compute, _images)


def _embedded(
    context: dg.AssetExecutionContext,
    session: Session,
    encoder: EncoderResource,
    paths: Mapping[str, list[bytes]],
) -> Contents:
    """Ask the cache, decode and embed the rest."""
    progress = reporter(context, "images embedded")
    section = session.settings.embedding
    model = encoder.load(section)
    cache = VectorCache(session.home.vectors(model.fingerprint))
    root = os.fsencode(session.inputs.folder)
    ids = sorted(paths)
    sources = [(image_id, os.path.join(root, paths[image_id][0])) for image_id in ids]  # noqa: PTH118 - bytes
    with session.decode_pool() as pool:
        report = embed_images(
            model,
            cache,
            sources,
            pool,
            batch_size=section.batch_size,
            # made for what the model's files say; should the model itself want another size, files are read again
            pixels=session.pixels
            if pixel_size(section.model, section.revision) == model.image_size
            else None,
            progress=progress,
        )
    found, vectors = cache.get(ids)
    context.log.info(f"embedded {report.n_embedded:,} of {len(ids):,} images; the other vectors were there")
    for problem in cache.problems:
        warn(context, problem)
    kept = [image_id for image_id, here in zip(ids, found, strict=True) if here]
    info = {"model": section.model, "fingerprint": model.fingerprint, "dim": model.dim}
    rows = vectors[found] if kept else np.zeros((0, model.dim), np.float32)
    return _contents(kept, rows, report.failures, info, report.n_embedded)


def _precomputed(file: Path, paths: Mapping[str, list[bytes]]) -> Contents:
    """Take the vectors of a file; an image without one fails."""
    names, vectors = load_vectors(file)
    named = {image_id: [os.fsdecode(path) for path in paths[image_id]] for image_id in sorted(paths)}
    matched = match_vectors(names, vectors, named)
    info = {"model": file.name, "fingerprint": vectors_fingerprint(file), "dim": int(vectors.shape[1])}
    return _contents(
        matched.image_ids, matched.vectors, dict.fromkeys(matched.unmatched, "no vector"), info, 0
    )


def _contents(
    ids: list[str], vectors: np.ndarray, failures: Mapping[str, str], info: Mapping[str, Any], n_embedded: int
) -> Contents:
    failed = [{"image_id": image_id, "reason": failures[image_id]} for image_id in sorted(failures)]
    return Contents(
        arrays={"vectors": np.ascontiguousarray(vectors, dtype=np.float32)},
        tables={
            "ids": pa.table({"image_id": pa.array(ids, pa.string())}),
            "failures": pa.Table.from_pylist(failed, schema=FAILURES),
        },
        info=info,
        counts={"n_embedded": n_embedded, "n_reused": len(ids) - n_embedded},
    )


@dg.asset(
    deps=[vocabulary, key(SETTINGS)],
    group_name="vocabulary",
    kinds={"python", "numpy", "pytorch"},
    owners=["team:concept-atlas"],
    tags={"subject": "words", "cost": "light"},
    metadata={"dagster/column_schema": column_schema("vocabulary_embeddings")},
    code_version=CODE_VERSION,
)
def vocabulary_embeddings(
    context: dg.AssetExecutionContext, storage: StorageResource, encoder: EncoderResource
) -> dg.MaterializeResult[None]:
    """Words as vectors, in the same space as the images: a word lies close to the pictures that it names.

    **Rows:** one a word, in the order of the vocabulary; words are embedded bare, without a phrase around them.

    **Units:** float32 vectors of length 1, so that a product of two is their cosine, -1 to 1.
    """
    session = storage.session

    def compute(upstream: Upstream) -> Contents:
        words = upstream["vocabulary"].table("words")["word"].to_pylist()
        if not words:
            return Contents(arrays={"vectors": np.zeros((0, 0), np.float32)})
        model = encoder.load(session.settings.embedding)
        vectors = model.encode_texts(words, progress=reporter(context, "words embedded"))
        info = {"fingerprint": model.text_fingerprint, "dim": model.dim, **asdict(model.confidence)}
        return Contents(arrays={"vectors": vectors}, info=info)

    return session.run(context, compute, _words)


def _images(stored: StoredAsset) -> Mapping[str, Any]:
    n_images = stored.array("vectors").shape[0]
    failed = stored.table("failures").num_rows
    counts = {"images": n_images, "failed": failed, "n_embedded": 0, "n_reused": n_images}
    return {**_vectors(stored, "image_embeddings"), **counts}


def _words(stored: StoredAsset) -> Mapping[str, Any]:
    return {**_vectors(stored, "vocabulary_embeddings"), "words": stored.array("vectors").shape[0]}


def _vectors(stored: StoredAsset, asset: str) -> Mapping[str, Any]:
    """What is told of vectors alike; without a vocabulary there are none, and they have no dimension."""
    rows, dim = stored.array("vectors").shape
    return {
        "dagster/row_count": rows,
        "dimensions": dim,
        **({"dagster/column_schema": column_schema(asset, dim)} if dim else {}),
        **{name: stored.info[name] for name in ("model", "fingerprint") if name in stored.info},
    }
