"""The product's steps, as the benchmarks call them: the one module that knows where they are.

Each step runs in a process of its own (`benchmarks.worker`). Those that the seed has too are in `benchmarks.seed.steps`
under the same names.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.measure import measured
from benchmarks.worker import Found
from concept_lib.embedding.arithmetic import choices
from concept_lib.settings import Reduction

PRECISIONS = tuple(sorted({way.precision for way in choices("cpu")}, reverse=True))
"""What this machine computes vectors in."""

WARM_UP = 32  # pictures


def embed(model: str, pictures: list[str], out: str, precision: str = "fp32", device: str = "cpu") -> Found:
    """JPEG to vector; the pool that decodes is started within the time. Writes the vectors to ``out``."""
    from concept_lib.embedding.encoder import load_encoder
    from concept_lib.embedding.given import embed_given
    from concept_lib.images.decode import DecodePool
    from concept_lib.images.given import GivenImages
    from concept_lib.settings import Images

    encoder = load_encoder(model, device=device, precision=precision)
    limits = Images()

    def vectors_of(paths: list[str]) -> np.ndarray:
        with DecodePool(
            timeout_s=limits.decode_seconds,
            max_pixels=limits.max_pixels,
            max_file_bytes=limits.max_file_bytes,
        ) as pool:
            return embed_given(encoder, encoder.dim, GivenImages(paths, pool)).vectors

    vectors_of(pictures[:WARM_UP])
    found: Found = {}
    with measured(found, "embed"):
        vectors = vectors_of(pictures)
    np.save(out, vectors, allow_pickle=False)
    return found


def pixels_per_second(model: str, count: int, batch: int, precision: str, device: str) -> float:
    """Images a second of the image tower alone: pixels of its own size to vectors, in passes of ``batch``."""
    import time

    from concept_lib.embedding.encoder import load_encoder

    encoder = load_encoder(model, device=device, precision=precision)
    side = encoder.image_size
    pixels = list(np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), np.uint8))
    encoder.encode_images(pixels)
    start = time.perf_counter()
    for _ in range(0, count, batch):
        encoder.encode_images(pixels)
    return -(-count // batch) * batch / (time.perf_counter() - start)


def embed_words(model: str, words: list[str]) -> Found:
    """Words to vectors."""
    from concept_lib.embedding.encoder import load_encoder

    encoder = load_encoder(model, device="cpu", precision="fp32")
    found: Found = {}
    with measured(found, "words"):
        encoder.encode_texts(words)
    return found


def fit(vectors: str, out: str, space: str) -> Found:
    """Neighbours, UMAP to five dimensions, HDBSCAN; twice, the second time with all code compiled; then the map."""
    from benchmarks.measure import preload

    preload()
    rows, found = np.load(vectors), Found()
    for name in ("cold", "warm"):
        with measured(found, name):
            from concept_lib.modeling.cluster import auto_concept_size, cluster
            from concept_lib.modeling.neighbours import nearest_neighbors
            from concept_lib.modeling.reduce import reduce

            neighbors = nearest_neighbors(rows, 15)
            reduced = reduce(rows, neighbors=neighbors)
            labels = cluster(reduced, min_concept_size=auto_concept_size(len(rows))).labels
    with measured(found, "map"):
        reduce(rows, n_components=2, min_dist=0.1, neighbors=neighbors)
    np.save(out, labels, allow_pickle=False)
    np.save(space, reduced, allow_pickle=False)
    return found


def cluster(vectors: str, space: str, out: str) -> Found:
    """HDBSCAN on given coordinates, then the exemplars of its clusters."""
    import hdbscan  # noqa: F401 - it is measured without its import

    from concept_lib.modeling.cluster import auto_concept_size, cluster
    from concept_lib.modeling.exemplars import choose_exemplars

    reduced, rows, found = np.load(space), np.load(vectors), Found()
    with measured(found, "cluster"):
        clustering = cluster(reduced, min_concept_size=auto_concept_size(len(reduced)))
    with measured(found, "exemplars"):
        choose_exemplars(rows, clustering.labels, clustering.probabilities)
    np.save(out, clustering.labels, allow_pickle=False)
    return found


def collages(pictures: list[list[str]], thumbnails: str) -> Found:
    """A picture a concept from the thumbnails of its exemplars, which a refresh has kept since it saw the images."""
    from PIL import Image

    from concept_lib.images.decode import DecodePool
    from concept_lib.pictures.collage import make_collage

    Path(thumbnails).mkdir(parents=True, exist_ok=True)
    small = {path: Path(thumbnails) / Path(path).name for row in pictures for path in row}
    with DecodePool(max_file_bytes=1 << 30) as pool:
        decoded = pool.map(map(os.fsencode, small), thumbnail=True, pixel_size=None)
        for place, one in zip(small.values(), decoded, strict=True):
            place.write_bytes(one.thumbnail or b"")
    found: Found = {}
    with measured(found, "collages"):
        for row in pictures:
            make_collage([Image.open(small[path]) for path in row])
    return found


def labels(concepts: str, words: str) -> Found:
    """Words nearest to each concept by cosine; ``named`` is the share whose best word is the true one."""
    from concept_lib.modeling.labels import nearest_words

    centres, names, found = np.load(concepts), np.load(words), Found()
    with measured(found, "labels"):
        best, _ = nearest_words(centres, names, 5)
    found["named"] = float(np.mean(best[:, 0] == np.arange(len(best))))
    return found


def ctfidf(vectors: str, truth: str, words: str) -> Found:
    """Words of each cluster by c-TF-IDF; ``named`` is the share that have the true one among their five."""
    from concept_lib.modeling.labels import ctfidf_words

    rows, numbers, names, found = np.load(vectors), np.load(truth), np.load(words), Found()
    n_clusters = int(numbers.max()) + 1
    with measured(found, "ctfidf"):
        best, _ = ctfidf_words(rows, numbers, names, n_clusters, 5)
    found["named"] = float(np.mean([number in row for number, row in enumerate(best)]))
    return found


def grow(vectors: str, out: str, fit_sample: int = Reduction().fit_sample) -> Found:
    """Vectors that were computed elsewhere to clusters and a map; of more than ``fit_sample`` a sample is fitted."""
    from concept_lib.modeling.learn import fit_all

    found: Found = {}
    with measured(found, "grow"):
        labels = fit_all(np.load(vectors), fit_sample=fit_sample).concepts
    np.save(out, labels, allow_pickle=False)
    return found


def refresh(folder: str, pictures: list[str], added: list[str], model: str) -> Found:
    """The command ``concept refresh``, three times: at first, with nothing changed, and with images added.

    ``opened`` is how many files of the collection the second one opened, counted in a run of its own.
    """
    from benchmarks.refreshing import Collection

    collection = Collection(Path(folder))
    collection.add(pictures)
    first = collection.refresh("--images", collection.images, "--model", model)
    found: Found = {"first": first, "unchanged": collection.refresh()}
    found["opened"] = collection.opened()
    collection.add(added)
    found["added"] = collection.refresh()
    found["mode"] = collection.mode()
    return found
