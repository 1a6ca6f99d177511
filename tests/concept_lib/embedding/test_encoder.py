"""The encoder against sentence-transformers itself, on real model folders."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from concept_lib.embedding import model_files
from concept_lib.embedding.encoder import Encoder, load_encoder, model_fingerprint, text_fingerprint
from concept_lib.embedding.model_files import Calibration
from concept_lib.errors import ConceptError
from concept_lib.modeling.naming import Hedging
from concept_lib.storage import file_digest

WORDS = ["cat", "a", "zebra dog", "lighthouse", "cat", "sunflower field by the sea", ""]


def reference(folder: Path, inputs: list) -> np.ndarray:
    """Vectors as sentence-transformers gives them, scaled to length 1 by NumPy."""
    from sentence_transformers import SentenceTransformer

    from concept_lib.embedding.quiet import quiet_libraries

    with quiet_libraries():
        vectors = SentenceTransformer(str(folder), device="cpu").encode(inputs)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def encoder(tiny_clip: Path) -> Encoder:
    return load_encoder(str(tiny_clip), device="cpu", precision="fp32")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
@pytest.mark.parametrize("layout", ["tiny_clip", "old_clip", "dual_encoder"])
def test_vectors_equal_those_of_sentence_transformers(
    layout: str, backend: str, pictures: list[Image.Image], request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(layout)
    encoder = load_encoder(str(folder), device="cpu", backend=backend, precision="fp32")
    images = encoder.encode_images([np.asarray(picture) for picture in pictures])
    texts = encoder.encode_texts(WORDS[:4])
    assert (encoder.dim, encoder.image_size) == (24, 32)
    assert images.dtype == texts.dtype == np.float32
    np.testing.assert_allclose(images, reference(folder, pictures), atol=1e-5)
    np.testing.assert_allclose(texts, reference(folder, WORDS[:4]), atol=1e-5)


def test_rows_have_length_one(encoder: Encoder, pictures: list[Image.Image]) -> None:
    images = encoder.encode_images([np.asarray(picture) for picture in pictures])
    texts = encoder.encode_texts(WORDS)
    np.testing.assert_allclose(np.linalg.norm(np.concatenate([images, texts]), axis=1), 1, atol=1e-6)


def test_nothing_gives_no_rows(encoder: Encoder) -> None:
    assert encoder.encode_images([]).shape == (0, 24)
    assert encoder.encode_texts([]).shape == (0, 24)


def test_texts_keep_their_order_over_many_batches(encoder: Encoder) -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("abcat "), random.integers(1, 12))) for _ in range(600)]
    calls = []
    together = encoder.encode_texts(texts, progress=lambda done, total: calls.append((done, total)))
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts[::60]])
    np.testing.assert_allclose(together[::60], alone, atol=1e-5)
    assert calls == [(256, 600), (512, 600), (600, 600)]


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_texts_of_one_length_share_a_pass(
    backend: str, tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(str(tiny_clip), device="cpu", backend=backend, precision="fp32")
    tower = encoder._texts
    passes = []
    encode = tower.encode_texts

    def spy(texts: Sequence[str]) -> np.ndarray:
        passes.append((len(texts), {*tower.text_lengths(texts)}))
        return encode(texts)

    monkeypatch.setattr(tower, "encode_texts", spy)
    encoder.encode_texts(["cat", "dogs and cats"] * 256)
    assert passes == [(256, {3}), (256, {12})]  # one token and ten, between two special ones


def test_a_long_text_is_cut_where_the_positions_end(encoder: Encoder) -> None:
    long, longer = encoder.encode_texts(["zebra " * 20, "zebra " * 50])
    np.testing.assert_allclose(long, longer, atol=1e-6)


def test_an_old_tokenizer_that_knows_no_limit_is_cut_too(old_clip: Path) -> None:
    vectors = load_encoder(str(old_clip), device="cpu", precision="fp32").encode_texts(["zebra " * 50])
    assert np.isfinite(vectors).all()


def test_words_may_have_a_tower_of_their_own(
    tiny_clip: Path, text_towers: dict[int, Path], encoder: Encoder
) -> None:
    paired = load_encoder(str(tiny_clip), text_model=str(text_towers[24]), device="cpu", precision="fp32")
    np.testing.assert_allclose(paired.encode_texts(WORDS), reference(text_towers[24], WORDS), atol=1e-5)
    assert paired.fingerprint == encoder.fingerprint
    assert paired.text_fingerprint == text_fingerprint(str(tiny_clip), str(text_towers[24]), precision="fp32")
    assert paired.text_fingerprint != encoder.text_fingerprint


def test_towers_of_two_spaces_are_refused(tiny_clip: Path, text_towers: dict[int, Path]) -> None:
    with pytest.raises(ConceptError, match=r"25 dimensions .* gives images 24: give a text model"):
        load_encoder(str(tiny_clip), text_model=str(text_towers[25]), device="cpu", precision="fp32")


def test_a_text_tower_alone_is_refused(text_towers: dict[int, Path]) -> None:
    with pytest.raises(ConceptError, match="embeds no images: give it as text model, beside one that does"):
        load_encoder(str(text_towers[24]), device="cpu", precision="fp32")


def test_the_multilingual_model_brings_its_images() -> None:
    for name in ("clip-ViT-B-32-multilingual-v1", "sentence-transformers/clip-ViT-B-32-multilingual-v1"):
        assert model_files.tower_names(name, None, "abc") == (("clip-ViT-B-32", None), (name, "abc"))
    assert model_files.tower_names("x", "clip-ViT-B-32-multilingual-v1", "abc") == (
        ("x", "abc"),
        ("clip-ViT-B-32-multilingual-v1", None),
    )


def test_half_precision_weights_are_computed_in_single(tiny_clip: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_clip, tmp_path / "half")
    weights = {name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    vectors = load_encoder(str(folder), device="cpu", precision="fp32").encode_texts(["cat"])
    np.testing.assert_allclose(vectors, reference(tiny_clip, ["cat"]), atol=1e-2)
    assert vectors.astype(np.float16).astype(np.float32).tolist() != vectors.tolist()


def test_weights_that_are_absent_are_not_made_up(tiny_clip: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_clip, tmp_path / "gaps")
    weights = load_file(folder / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConceptError, match=r"its weights lack visual_projection\.weight"):
        load_encoder(str(folder), device="cpu", precision="fp32")


def test_weights_that_are_not_finite_are_refused(tiny_clip: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_clip, tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["visual_projection.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConceptError, match="not finite"):
        load_encoder(str(folder), device="cpu", precision="fp32")


def damage_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no weights at all")


def damage_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def lose_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def lose_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize("damage", [damage_weights, damage_config, lose_weights])
def test_a_damaged_model_is_one_line(damage: object, tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "damaged")
    damage(folder)
    with pytest.raises(
        ConceptError, match="cannot be loaded as a sentence-transformers CLIP model"
    ) as caught:
        load_encoder(str(folder), device="cpu", precision="fp32")
    assert "\n" not in str(caught.value)


def test_no_such_device(tiny_clip: Path) -> None:
    with pytest.raises(ConceptError, match="takes auto, cpu, cuda or mps, not gpu"):
        load_encoder(str(tiny_clip), device="gpu")


@pytest.mark.parametrize("layout", ["tiny_clip", "old_clip", "dual_encoder"])
def test_fingerprints_need_no_loading(layout: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(layout)
    encoder = load_encoder(str(folder))
    script = (
        "import sys\n"
        "from concept_lib.embedding.encoder import model_fingerprint, text_fingerprint\n"
        "print(model_fingerprint(sys.argv[1]), text_fingerprint(sys.argv[1]))\n"
        "print(sorted({'openvino', 'torch', 'transformers', 'sentence_transformers'} & sys.modules.keys()))"
    )
    told = subprocess.run([sys.executable, "-c", script, folder], capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[:2] == [f"{encoder.fingerprint} {encoder.text_fingerprint}", "[]"]


@pytest.mark.parametrize("layout", ["tiny_clip", "old_clip", "dual_encoder"])
def test_the_size_of_pixels_is_told_without_loading(
    layout: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(request.getfixturevalue(layout), folder)
    assert model_files.pixel_size(str(folder)) == load_encoder(str(folder), precision="fp32").image_size
    for odd in ("{", "[]", '{"size": {"height": "tall"}}'):
        for file in [*folder.rglob("processor_config.json"), *folder.rglob("preprocessor_config.json")]:
            file.write_text(odd)
        assert model_files.pixel_size(str(folder)) is None


def test_the_weights_are_read_once_by_a_process_and_again_when_they_change(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, read = tmp_path / "model", []
    shutil.copytree(tiny_clip, folder)

    def counted(path: Path) -> str:
        read.append(path.name)
        return file_digest(path)

    monkeypatch.setattr(model_files, "file_digest", counted)
    before = model_fingerprint(str(folder)), text_fingerprint(str(folder))
    assert (model_fingerprint(str(folder)), text_fingerprint(str(folder))) == before
    assert read.count("model.safetensors") == 1
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert read.count("model.safetensors") == 1
    assert model_fingerprint(str(folder)) != before[0]
    assert read.count("model.safetensors") == 2


def test_a_fingerprint_follows_what_is_read(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "elsewhere")
    image, text = model_fingerprint(str(tiny_clip)), text_fingerprint(str(tiny_clip))
    for leftover in ("README.md", "training_args.bin", "optimizer.pt", "confidence.json"):
        (folder / leftover).write_text("{}")
    (folder / "checkpoint-9").mkdir()
    (folder / "checkpoint-9" / "model.safetensors").write_text("older")
    assert (model_fingerprint(str(folder)), text_fingerprint(str(folder))) == (image, text)

    (folder / "tokenizer.json").write_text("{}")
    assert model_fingerprint(str(folder)) == image
    assert text_fingerprint(str(folder)) != text

    (folder / "processor_config.json").write_text("{}")
    processed = model_fingerprint(str(folder))
    assert processed != image
    with (folder / "model.safetensors").open("r+b") as weights:
        weights.seek(-1, 2)
        weights.write(b"\x01")
    assert model_fingerprint(str(folder)) not in {image, processed}


def test_a_fingerprint_sees_the_modules_of_the_old_layout(old_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(old_clip, tmp_path / "old")
    before = model_fingerprint(str(folder))
    with (folder / "0_CLIPModel" / "pytorch_model.bin").open("ab") as weights:
        weights.write(b"\x00")
    assert model_fingerprint(str(folder)) != before


def test_confidence_is_the_models_own_or_clips(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "calibrated")
    found = model_files.locate(str(folder))
    assert model_files.load_calibration(found) == model_files.CLIP_CALIBRATION
    (folder / "confidence.json").write_text('{"midpoint": 0.5, "scale": 0.1}')
    assert load_encoder(str(folder), device="cpu", precision="fp32").confidence == Calibration(0.5, 0.1)
    hedging = {"sharpness": 20, "share": 0.4, "covers": {"fruit": ["pear"]}}
    (folder / "confidence.json").write_text(json.dumps({"midpoint": 0.5, "scale": 0.1, "hedging": hedging}))
    assert model_files.load_calibration(found) == Calibration(0.5, 0.1, Hedging(20, 0.4, {"fruit": ["pear"]}))
    for wrong in (
        "[]",
        "{",
        '{"midpoint": 0.5}',
        '{"midpoint": 0.5, "scale": 0}',
        '{"midpoint": [], "scale": 1}',
        '{"midpoint": 0.5, "scale": 1, "hedging": {"share": 0.4}}',
    ):
        (folder / "confidence.json").write_text(wrong)
        with pytest.raises(ConceptError, match=r"confidence\.json: "):
            model_files.load_calibration(found)


def test_folders_that_are_no_model(tmp_path: Path, tiny_clip: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for model, message in (
        (tmp_path / "absent", "model folder not found"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "empty", "neither config.json nor modules.json"),
    ):
        with pytest.raises(ConceptError, match=message):
            model_fingerprint(str(model))
    with pytest.raises(ConceptError, match="is for a model of the hub"):
        model_fingerprint(str(tiny_clip), "abc")


def test_loading_writes_nothing_on_the_terminal(tiny_clip: Path, old_clip: Path) -> None:
    script = (
        "import sys, numpy as np\n"
        "from concept_lib.embedding.encoder import load_encoder\n"
        "for folder in sys.argv[1:]:\n"
        "    encoder = load_encoder(folder, device='cpu')\n"
        "    encoder.encode_texts(['cat ' * 90]); encoder.encode_images([np.zeros((32, 40, 3), np.uint8)])\n"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, tiny_clip, old_clip], capture_output=True, check=True
    )
    assert (told.stdout, told.stderr) == (b"", b"")


def test_other_peoples_logging_is_given_back(tiny_clip: Path) -> None:
    import logging

    from huggingface_hub.utils.tqdm import are_progress_bars_disabled
    from transformers.utils import logging as transformers_logging

    def state() -> list[object]:
        loggers = [
            logging.getLogger(name) for name in ("transformers", "sentence_transformers", "huggingface_hub")
        ]
        return [
            *((logger.handlers, logger.propagate) for logger in loggers),
            are_progress_bars_disabled(),
            transformers_logging.is_progress_bar_enabled(),
        ]

    before = state()
    load_encoder(str(tiny_clip), device="cpu", precision="fp32")
    assert state() == before
