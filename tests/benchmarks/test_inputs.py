"""What is measured on: vectors of the truth that they promise, pictures that cost what photographs do, a whole CLIP."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.inputs.clip import TEXT, VISION, write_clip
from benchmarks.inputs.pictures import LARGE, SMALL, write_pictures
from benchmarks.inputs.vectors import (
    CONE,
    INTRINSIC,
    OUTLIERS,
    draw_images,
    draw_truth,
    draw_words,
    n_clusters,
    truth_of,
    write_concepts,
    write_vectors,
    write_words,
)

N = 4000


@pytest.fixture(scope="module")
def drawn():
    truth = draw_truth(n_clusters(N))
    return truth, *draw_images(truth, N)


def test_vectors_lie_on_a_cone_and_a_third_is_background(drawn) -> None:
    _, vectors, labels = drawn
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    apart = labels[:, None] != labels[None, :]
    assert np.mean((vectors @ vectors.T)[apart]) == pytest.approx(CONE, abs=0.06)
    assert np.mean(labels < 0) == pytest.approx(OUTLIERS, abs=0.03)
    assert np.bincount(labels[labels >= 0]).min() >= 15


def test_a_cluster_has_the_dimensions_that_it_should(drawn) -> None:
    _, vectors, labels = drawn
    largest = np.bincount(labels[labels >= 0]).argmax()
    spread = np.linalg.svd(vectors[labels == largest] - vectors[labels == largest].mean(0), compute_uv=False)
    strong = np.sum(spread > spread[0] * 0.2)
    assert INTRINSIC - 2 <= strong <= INTRINSIC + 2


def test_the_nearest_centre_is_the_true_one(drawn) -> None:
    truth, vectors, labels = drawn
    inside = labels >= 0
    nearest = (vectors[inside] @ truth.centres.T).argmax(axis=1)
    assert np.mean(nearest == labels[inside]) > 0.95


def test_a_concept_is_named_by_its_own_word(drawn) -> None:
    truth, vectors, labels = drawn
    means = np.array([vectors[labels == cluster].mean(axis=0) for cluster in range(len(truth.centres))])
    best = (means @ draw_words(truth, 2000).T).argmax(axis=1)
    np.testing.assert_array_equal(best, np.arange(len(means)))


def test_what_is_drawn_again_is_the_same(drawn) -> None:
    _, vectors, labels = drawn
    again = draw_images(draw_truth(n_clusters(N)), N)
    np.testing.assert_array_equal(vectors, again[0])
    np.testing.assert_array_equal(labels, again[1])


def test_files_are_made_once(tmp_path: Path) -> None:
    made = [write_vectors(tmp_path, 200), write_words(tmp_path, 200, 300), *write_concepts(tmp_path, 5, 300)]
    made.append(truth_of(made[0]))
    assert [np.load(path).shape for path in made] == [(200, 512), (300, 512), (5, 512), (300, 512), (200,)]
    times = [path.stat().st_mtime_ns for path in made]
    write_vectors(tmp_path, 200), write_words(tmp_path, 200, 300), write_concepts(tmp_path, 5, 300)
    assert [path.stat().st_mtime_ns for path in made] == times


@pytest.mark.parametrize(("size", "low", "high"), [(SMALL, 50_000, 130_000), (LARGE, 130_000, 380_000)])
def test_pictures_are_jpegs_of_a_size_that_photographs_have(tmp_path: Path, size, low, high) -> None:
    paths = write_pictures(tmp_path, 4, size, first=3)
    assert [path.name for path in paths] == ["000003.jpg", "000004.jpg", "000005.jpg", "000006.jpg"]
    assert len({path.read_bytes() for path in paths}) == 4
    with Image.open(paths[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
    assert low < np.mean([path.stat().st_size for path in paths]) < high


def test_a_picture_depends_on_its_number_alone(tmp_path: Path) -> None:
    alone, among = write_pictures(tmp_path / "a", 1, SMALL, first=2), write_pictures(tmp_path / "b", 3, SMALL)
    assert alone[0].read_bytes() == among[2].read_bytes()
    among[2].write_bytes(b"kept")
    assert write_pictures(tmp_path / "b", 3, SMALL)[2].read_bytes() == b"kept"


def test_the_clip_has_the_sizes_of_vit_b_32() -> None:
    """As OpenAI published it: 87.8 million weights for images, 63.4 for words."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModel

    with torch.device("meta"):
        images = CLIPVisionModel(CLIPVisionConfig(**VISION))
        words = CLIPTextModel(CLIPTextConfig(**TEXT))
    assert sum(part.numel() for part in images.parameters()) == 87_456_000
    assert sum(part.numel() for part in words.parameters()) == 63_165_952


def test_images_get_vectors_of_their_own(tiny_model: Path) -> None:
    from concept_lib.embedding.encoder import load_encoder

    encoder = load_encoder(str(tiny_model), device="cpu")
    side = encoder.image_size
    vectors = encoder.encode_images(
        list(np.random.default_rng(0).integers(0, 256, (4, side, side, 3), np.uint8))
    )
    assert (vectors @ vectors.T)[np.triu_indices(4, 1)].max() < 0.9999
    assert len(encoder.encode_texts(["dog", "golden retriever"])) == 2
    assert json.loads((tiny_model / "config.json").read_text())["model_type"] == "clip"
    assert write_clip(tiny_model) == tiny_model
