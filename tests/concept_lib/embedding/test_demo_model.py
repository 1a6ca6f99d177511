"""The demo model: the folder that is shipped, and the training that makes it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import concept_lib.embedding.demo_model as demo_model
from concept_lib.embedding.demo_model import augment, data, evaluate, text
from concept_lib.embedding.demo_model.learn import CHECKPOINT_EVERY, learn
from concept_lib.embedding.demo_model.model import build_model
from concept_lib.embedding.demo_model.recipe import Recipe
from concept_lib.embedding.demo_model.relations import SOURCE, load_covers, load_relations, targets
from concept_lib.embedding.encoder import load_encoder
from concept_lib.errors import ConceptError
from concept_lib.images.sample import KINDS, render
from concept_lib.modeling.labels import word_evidence
from concept_lib.modeling.naming import hedged_labels
from concept_lib.vocabulary import load_vocabulary

FOLDER = Path(demo_model.__file__).parent
WEIGHTS = FOLDER / "weights"
ALL_KINDS = [
    line.split("|")[1].strip()
    for line in (FOLDER / "README.md").read_text().split("### By kind")[1].splitlines()
    if line.startswith("| ") and not line.startswith("| kind")
]
NOUNS = ["ruby", "sky", "chair", "river", "wolf", "lamp", "soup", "nail"]
TINY = Recipe(
    image_size=32,
    served_size=32,
    small_size=16,
    hidden_sizes=(16, 32),
    depths=(1, 1),
    text_hidden_size=16,
    text_layers=1,
    text_heads=2,
    dim=16,
    vocab_size=700,
    steps=6,
    batch_size=8,
    distractors=6,
)


@pytest.fixture(scope="module")
def encoder():
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield SentenceTransformer(str(WEIGHTS), device="cpu")


def plain_colours() -> data.Pictures:
    """Forty plain pictures of two kinds, red and blue."""
    labels = np.arange(40) % 2
    pixels = np.full((40, data.CANVAS, data.CANVAS, 3), 40, np.uint8)
    pixels[labels == 0, ..., 0] = 220
    pixels[labels == 1, ..., 2] = 220
    sizes, nothing = np.full((40, 2), data.CANVAS), np.zeros(40, bool)
    return data.Pictures(pixels, sizes, labels, nothing, ("ruby", "sky"), labels - 1)


def learn_colours(checkpoint: Path, recipe: Recipe = TINY, **options):
    import torch

    torch.set_num_threads(1)  # another number of threads adds in another order
    tokenizer = text.train_tokenizer(NOUNS, recipe.vocab_size)
    return learn(recipe, plain_colours(), NOUNS, tokenizer, checkpoint, **options)


def assert_same_weights(one, other) -> None:
    for name, tensor in one.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name].numpy(), tensor.numpy(), err_msg=name)


def test_folder_is_small_and_is_float16_on_disk_but_float32_at_work() -> None:
    from safetensors import safe_open

    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*")) <= 16_000_000
    assert json.loads((WEIGHTS / "config.json").read_text())["dtype"] == "float32"
    with safe_open(WEIGHTS / "model.safetensors", framework="np") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {np.dtype(np.float16)}  # noqa: SIM118


def test_folder_loads_without_a_network_in_a_fresh_process() -> None:
    script = (
        "import sys, numpy, PIL.Image; from sentence_transformers import SentenceTransformer;"
        "m = SentenceTransformer(sys.argv[1], device='cpu');"
        "i = m.encode([PIL.Image.new('RGB', (300, 200), 'red')]); t = m.encode(['apple', 'a red house']);"
        "assert i.shape[1] == t.shape[1] and i.dtype == numpy.float32;"
        "assert {str(p.dtype) for p in m.parameters()} == {'torch.float32'}"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(WEIGHTS)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_it_names_every_kind_of_the_gallery(encoder) -> None:
    nouns = list(load_vocabulary("nouns").words)
    words = encoder.encode(nouns, normalize_embeddings=True)
    pictures = [render(kind, 31_000_000 + i, 192) for kind in KINDS for i in range(4)]
    first = (encoder.encode(pictures, normalize_embeddings=True) @ words.T).argmax(axis=1)
    named = [nouns[i] == kind for i, kind in zip(first, np.repeat(KINDS, 4), strict=True)]
    assert np.mean(named) >= 0.9


def test_an_image_has_one_vector_whatever_comes_beside_it() -> None:
    model = load_encoder("demo")
    pixels = [np.asarray(render(kind, 33_000_000, 96)) for kind in KINDS]
    whole = model.encode_images(pixels * 2)
    for rows in (slice(0, 1), slice(3, 10), slice(5, 45)):
        np.testing.assert_array_equal(model.encode_images((pixels * 2)[rows]), whole[rows])


def test_words_have_vectors_of_their_own(encoder) -> None:
    nouns = list(load_vocabulary("nouns").words)
    words = encoder.encode(nouns, normalize_embeddings=True)
    likeness = words @ words.T
    np.fill_diagonal(likeness, -1)
    assert likeness.max() < 0.999
    assert np.median(likeness.max(axis=1)) < 0.9


def test_its_confidence_is_high_for_the_gallery_and_low_for_mixtures(encoder) -> None:
    confidence = json.loads((WEIGHTS / "confidence.json").read_text())
    words = encoder.encode(list(load_vocabulary("nouns").words), normalize_embeddings=True)
    vectors = encoder.encode([render(kind, 32_000_000 + i, 128) for kind in KINDS for i in range(6)])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).reshape(len(KINDS), 6, -1)
    mixed = vectors.transpose(1, 0, 2).reshape(-1, 8, vectors.shape[2]).mean(axis=1)

    def of(centroids: np.ndarray) -> np.ndarray:
        best = (centroids / np.linalg.norm(centroids, axis=1, keepdims=True) @ words.T).max(axis=1)
        return 1 / (1 + np.exp(-(best - confidence["midpoint"]) / confidence["scale"]))

    assert np.mean(of(vectors.mean(axis=1)) > 0.5) >= 0.9
    assert np.median(of(vectors.mean(axis=1))) > 0.9
    assert np.mean(of(mixed) < 0.5) >= 0.7


@pytest.fixture(autouse=True)
def _keep_threads():
    import torch

    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_the_tokenizer_is_the_same_each_time_and_reads_any_text() -> None:
    nouns = list(load_vocabulary("nouns").words)
    first, second = (text.train_tokenizer(nouns, 6000) for _ in range(2))
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
    assert len(first) <= 6000
    ids = first("Zürich 2026 #!")["input_ids"]
    assert ids.count(first.eos_token_id) == 1
    assert ids[-1] == first.eos_token_id


def test_a_training_that_was_stopped_ends_like_one_that_was_not(tmp_path) -> None:
    whole = learn_colours(tmp_path / "whole.safetensors")
    learn_colours(tmp_path / "part.safetensors", last_step=3)
    assert_same_weights(whole, learn_colours(tmp_path / "part.safetensors"))


def test_a_training_that_was_killed_ends_like_one_that_was_not(tmp_path) -> None:
    recipe = replace(TINY, steps=CHECKPOINT_EVERY + 40)
    part = tmp_path / "part.safetensors"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_demo_model as t; from pathlib import Path;"
        "t.learn_colours(Path(sys.argv[2]), t.replace(t.TINY, steps=t.CHECKPOINT_EVERY + 40))"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), str(part)]
    process = subprocess.Popen(command, start_new_session=True)
    while not part.exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert part.is_file()
    seen: list[int] = []
    resumed = learn_colours(part, recipe, progress=lambda done, total: seen.append(done))
    assert_same_weights(learn_colours(tmp_path / "whole.safetensors", recipe), resumed)
    assert len(seen) < recipe.steps


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path) -> None:
    learn_colours(tmp_path / "c.safetensors", last_step=1)
    with pytest.raises(ConceptError, match="another recipe"):
        learn_colours(tmp_path / "c.safetensors", replace(TINY, seed=8))


def test_learning_tells_two_colours_apart(tmp_path) -> None:
    model = learn_colours(tmp_path / "c.safetensors", replace(TINY, steps=60, cutmix=0.0))
    words = evaluate.embed_words(model, text.train_tokenizer(NOUNS, TINY.vocab_size), ["ruby", "sky"])
    pictures = plain_colours()
    first = (evaluate.embed_pictures(model, pictures) @ words.T).argmax(axis=1)
    assert np.mean(first == pictures.labels) >= 0.9


def test_photos_are_split_by_source_and_kept_whole(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(data, "KINDS", KINDS[:2])
    sources = ["x:grocery/dataset/train/Fruit/Kiwi/1.jpg", "x:grocery/dataset/val/Fruit/Kiwi/1.jpg"]
    jpegs = []
    for size in ((128, 96), (60, 128)):
        file = io.BytesIO()
        Image.new("RGB", size, (200, 10, 10)).save(file, "JPEG")
        jpegs.append(file.getvalue())
    pq.write_table(
        pa.table({"label": ["kiwi", "kiwi"], "jpeg": jpegs, "source": sources}), tmp_path / "photos.parquet"
    )
    training, validation = data.load_pictures(
        tmp_path / "photos.parquet", renders_per_kind=2, renders_held_out=1
    )
    assert training.words == validation.words == tuple(sorted({"kiwi", *KINDS[:2]}))
    assert training.sizes[0].tolist() == [96, 128]
    assert validation.sizes[0].tolist() == [128, 60]
    assert (training.rendered.sum(), validation.rendered.sum()) == (4, 2)
    assert training.products.tolist() == [0, -1, -1, -1, -1]
    assert (training.pixels[0, 96:] == training.pixels[0, 95]).all()
    weights = data.sampling_weights(training, balance=0.65, render_share=0.2)
    assert weights[training.rendered].sum() == pytest.approx(0.2)


def renders(per_kind: int = 5) -> data.Pictures:
    kinds = KINDS[:2]
    rows = [render(kind, data.RENDER_SEED + i) for kind in kinds for i in range(per_kind)]
    n = len(rows)
    pictures = data.Pictures(
        np.zeros((n, data.CANVAS, data.CANVAS, 3), np.uint8),
        np.zeros((n, 2), np.int64),
        np.repeat([0, 1], per_kind),
        np.ones(n, bool),
        tuple(kinds),
        np.full(n, -1),
    )
    for row, picture in enumerate(rows):
        data._store(picture, pictures.pixels, pictures.sizes, row)
    return pictures


@pytest.mark.parametrize("epochs", [[1, 2, 3, 4, 5, 6, 7], [3, 7], [7]])
def test_renders_are_renewed_a_share_an_epoch_and_alike_after_a_stop(epochs: list[int]) -> None:
    before, found = renders(), renders()
    last = 0
    for epoch in epochs:
        data.renew_renders(found, last, epoch, share=0.25)
        last = epoch
    changed = (found.pixels != before.pixels).any(axis=(1, 2, 3))
    assert changed.all()
    straight = renders()
    data.renew_renders(straight, 0, 7, share=0.25)
    np.testing.assert_array_equal(found.pixels, straight.pixels)
    data.renew_renders(straight, 7, 8, share=0.25)
    assert (straight.pixels != found.pixels).any(axis=(1, 2, 3)).sum() in (2, 3)


def test_a_kind_that_is_left_out_is_a_word_like_any_other(tmp_path) -> None:
    pictures = plain_colours()
    left = data.leave_out(pictures, ["sky"])
    assert set(left.labels.tolist()) == {0}
    assert left.words == ("ruby", "sky")
    learn(replace(TINY, steps=1), left, NOUNS, text.train_tokenizer(NOUNS, 700), tmp_path / "c.safetensors")
    with pytest.raises(ConceptError, match="no such kind: cloud"):
        data.leave_out(pictures, ["cloud"])


def test_pictures_should_say_their_kind_first_then_what_it_is_called_and_is() -> None:
    kinds = ["pants", "shoes", "kiwi"]
    relations = load_relations(kinds)
    words = [*kinds, *relations.words(), "lamp"]
    wanted = targets(kinds, words, relations, synonyms=0.06, hypernyms=0.06)
    np.testing.assert_allclose(wanted.sum(axis=1), 1, rtol=1e-6)
    assert [words[i] for i in wanted.argmax(axis=1)] == kinds
    assert wanted[0, words.index("trousers")] == pytest.approx(0.03)
    assert wanted[2, words.index("fruit")] == pytest.approx(0.06)
    assert wanted[1, words.index("fruit")] == wanted[0, words.index("lamp")] == 0


def test_relations_speak_of_kinds_only_and_never_of_two_at_once() -> None:
    photos = {word for words in load_relations(ALL_KINDS).hypernyms.values() for word in words}
    table = tomllib.loads(SOURCE.read_text())
    assert set(table["synonyms"]) <= set(ALL_KINDS)
    general = set(table["hypernyms"])
    assert {kind for kinds in table["hypernyms"].values() for kind in kinds} <= set(ALL_KINDS) | general
    synonyms = [word for words in load_relations(ALL_KINDS).synonyms.values() for word in words]
    assert len(synonyms) == len(set(synonyms))
    assert not set(synonyms) & (photos | set(ALL_KINDS))


def test_general_nouns_cover_what_narrower_ones_do() -> None:
    covers = load_covers(load_vocabulary("nouns").words)
    assert {"kiwi", "leek", "milk", "yoghurt", "fruit"} <= set(covers["food"])
    assert set(covers["citrus"]) < set(covers["fruit"]) < set(covers["food"])
    assert "dairy product" not in covers
    assert "hat" not in covers["food"]


def test_hedging_is_calibrated_to_be_true_often_enough() -> None:
    nouns, kinds = ["pear", "lemon", "apple", "hat", "fruit"], np.repeat(["pear", "lemon", "hat"], 12)
    vectors = np.eye(5, dtype=np.float32)
    words = np.array([nouns.index(kind) for kind in kinds])
    covers = {"fruit": ["pear", "lemon", "apple"]}
    sure = evaluate.calibrate_hedging(vectors[words], kinds, nouns, vectors, covers, seed=1)
    words[:12] = [0] * 5 + [1] * 7  # pears look like lemons
    unsure = evaluate.calibrate_hedging(vectors[words], kinds, nouns, vectors, covers, seed=1)
    assert sure.share < 7 / 12 < unsure.share
    evidence = word_evidence(vectors[words], np.arange(36) // 12, vectors, 3, unsure.sharpness)
    assert hedged_labels(evidence, nouns, sure) == ["lemon", "lemon", "hat"]
    assert hedged_labels(evidence, nouns, unsure) == ["fruit", "lemon", "hat"]


def test_depthwise_gradients_are_those_of_full_precision() -> None:
    import torch

    torch.manual_seed(0)
    model = build_model(TINY, n_tokens=20, start_id=0, end_id=1)
    layer = next(layer for layer in model.vision_model.modules() if getattr(layer, "groups", 1) > 1)
    images = torch.randn(2, 16, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(images)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, layer._conv_forward(images, layer.weight, layer.bias))


def test_missing_photos_say_what_to_do(tmp_path) -> None:
    with pytest.raises(ConceptError, match="--photos"):
        data.load_pictures(tmp_path / "none.parquet", renders_per_kind=1)


@given(st.integers(20, 128), st.integers(20, 128), st.integers(0, 10_000))
def test_crops_lie_inside_their_picture(height: int, width: int, seed: int) -> None:
    sizes = np.tile([height, width], (5, 1))
    centres, halves = augment.random_boxes(sizes, np.random.default_rng(seed), min_area=0.3)
    assert (centres - halves >= -1e-9).all()
    assert (centres + halves <= sizes + 1e-9).all()


def test_plain_views_are_what_the_image_processor_makes(encoder) -> None:
    picture = render("house", 5, 128).crop((0, 0, 128, 96))
    stored = data.Pictures(
        np.zeros((1, data.CANVAS, data.CANVAS, 3), np.uint8),
        np.zeros((1, 2), np.int64),
        np.zeros(1, np.int64),
        np.ones(1, bool),
        ("house",),
        np.array([-1]),
    )
    data._store(picture, stored.pixels, stored.sizes, 0)
    ours = augment.plain_views(stored, np.array([0]), image_size=Recipe().served_size)[0].numpy()
    theirs = encoder.processor.image_processor(picture, return_tensors="np")["pixel_values"][0]
    assert np.abs(ours - theirs).mean() < 0.1


def test_calibration_refuses_the_least_sure_and_trusts_the_median() -> None:
    known = np.random.default_rng(3).normal(0.8, 0.05, 500)
    found = evaluate.calibrate(known)
    confidence = 1 / (1 + np.exp(-(known - found["midpoint"]) / found["scale"]))
    assert np.mean(confidence < 0.5) == pytest.approx(evaluate.REFUSED, abs=0.01)
    assert np.median(confidence) == pytest.approx(0.95, abs=0.01)


def test_stand_ins_of_one_kind_are_surer_than_mixed_ones() -> None:
    rng = np.random.default_rng(0)
    nouns = np.eye(6, dtype=np.float32)
    labels = np.repeat(np.arange(6), 20)
    vectors = nouns[labels] + rng.normal(0, 0.1, (120, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pure = evaluate.concept_cosines(vectors, labels, nouns, seed=1)
    mixed = evaluate.concept_cosines(vectors, labels, nouns, seed=1, mixed=True)
    assert len(pure) == len(mixed) == 24
    assert pure.min() > 0.9 > mixed.max()
