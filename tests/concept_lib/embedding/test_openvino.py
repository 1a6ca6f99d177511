"""OpenVINO against torch, on real model folders; and what is taken where it does not suit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from concept_lib.caches import machine_cache
from concept_lib.embedding import arithmetic, conversion, verdicts
from concept_lib.embedding.arithmetic import Arithmetic, choices
from concept_lib.embedding.encoder import Encoder, load_encoder, model_fingerprint, text_fingerprint
from concept_lib.errors import ConceptError

FASTEST = Arithmetic("openvino", "bf16", "cpu")
PLAIN = Arithmetic("openvino", "fp32", "cpu")
TORCH = Arithmetic("torch", "fp32", "cpu")
WORDS = ["cat", "", "two  words ", "ZEBRA", "don't", "a" * 60, "é 猫"]


@pytest.fixture(params=["tiny_clip", "old_clip", "dual_encoder", "demo"])
def model(request: pytest.FixtureRequest) -> str:
    return "demo" if request.param == "demo" else str(request.getfixturevalue(request.param))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONCEPT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that says it has bf16, which OpenVINO takes or leaves."""
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: True)


def pixels(n: int, size: int) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.integers(0, 256, (size, size + 7 * (i % 3), 3), dtype=np.uint8) for i in range(n)]


def loaded(model: str, backend: str = "auto", precision: str = "auto") -> Encoder:
    return load_encoder(model, device="cpu", backend=backend, precision=precision)


def test_vectors_equal_those_of_torch(model: str) -> None:
    ours, torchs = loaded(model, "openvino", "fp32"), loaded(model, "torch")
    images = pixels(37, ours.image_size)
    assert (ours.dim, ours.image_size) == (torchs.dim, torchs.image_size)
    np.testing.assert_allclose(ours.encode_images(images), torchs.encode_images(images), atol=1e-5)
    np.testing.assert_allclose(ours.encode_texts(WORDS), torchs.encode_texts(WORDS), atol=1e-5)
    assert ours._texts.text_lengths(WORDS) == torchs._texts.text_lengths(WORDS)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_vector_does_not_depend_on_its_company(model: str, precision: str, bf16: None) -> None:
    encoder = loaded(model, "openvino", precision)
    images = pixels(20, encoder.image_size)
    together = encoder.encode_images(images)
    for rows in (slice(0, 1), slice(7, 10), slice(19, 20)):
        np.testing.assert_array_equal(encoder.encode_images(images[rows]), together[rows])
    words = encoder.encode_texts(["cat", "dog", "cap"])
    np.testing.assert_array_equal(encoder.encode_texts(["dog"])[0], words[1])


def test_torch_gives_a_vector_of_its_own_too(model: str) -> None:
    encoder = loaded(model, "torch")
    images = pixels(40, encoder.image_size)
    np.testing.assert_array_equal(encoder.encode_images(images[33:34]), encoder.encode_images(images)[33:34])


def test_pixels_are_prepared_as_transformers_does(model: str) -> None:
    from sentence_transformers import SentenceTransformer

    from concept_lib.embedding.model_files import locate
    from concept_lib.embedding.quiet import quiet_libraries
    from concept_lib.embedding.torch_tower import TorchImages

    with quiet_libraries():
        transformer = SentenceTransformer(str(locate(model).folder), device="cpu")
    preprocessing = TorchImages(transformer).preprocessing
    assert preprocessing is not None
    images = pixels(6, preprocessing.image_size)
    expected = transformer.preprocess([Image.fromarray(image) for image in images])["pixel_values"]
    np.testing.assert_array_equal(preprocessing(images), expected.numpy())


def test_a_processor_that_does_more_is_used_itself(tiny_clip: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_clip, tmp_path / "padded")
    settings = json.loads((folder / "processor_config.json").read_text())
    settings["image_processor"]["size"] = {
        "shortest_edge": 20
    }  # fewer pixels than the crop: it fills up with black
    (folder / "processor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ConceptError, match=r"image tower\): its image processor does more than to cut"):
        loaded(str(folder), "openvino", "fp32")
    encoder = loaded(str(folder))
    assert encoder.fingerprint == model_fingerprint(str(folder), device="cpu", backend="torch")
    assert encoder.fingerprint == model_fingerprint(str(folder), device="cpu")
    assert encoder.text_fingerprint != text_fingerprint(str(folder), device="cpu", backend="torch")
    from sentence_transformers import SentenceTransformer

    images = pixels(3, encoder.image_size)
    expected = SentenceTransformer(str(folder), device="cpu").encode(
        [Image.fromarray(image) for image in images], normalize_embeddings=True
    )
    np.testing.assert_allclose(encoder.encode_images(images), expected, atol=1e-5)


def test_half_precision_is_close_and_its_fingerprint_its_own(model: str, bf16: None) -> None:
    half, single = loaded(model, "openvino", "bf16"), loaded(model, "openvino", "fp32")
    images = pixels(9, half.image_size)
    cosines = (half.encode_images(images) * single.encode_images(images)).sum(axis=1)
    assert cosines.min() > 0.9995
    prints = [e for encoder in (half, single, loaded(model, "torch")) for e in (encoder.fingerprint,)]
    assert len(set(prints)) == 3
    assert model_fingerprint(model, device="cpu", precision="bf16") == half.fingerprint
    assert text_fingerprint(model, device="cpu", precision="fp32") == single.text_fingerprint


def test_half_precision_that_strays_is_refused(
    tiny_clip: Path, empty_cache: Path, bf16: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "LEAST_COSINE", 1.1)
    expected = model_fingerprint(str(tiny_clip), device="cpu")
    encoder = loaded(str(tiny_clip))
    single = model_fingerprint(str(tiny_clip), device="cpu", precision="fp32")
    assert expected != single  # before the first loading nobody could know
    assert encoder.fingerprint == single == model_fingerprint(str(tiny_clip), device="cpu")
    assert encoder.text_fingerprint == text_fingerprint(str(tiny_clip), device="cpu", precision="fp32")
    for _ in ("measured", "remembered"):
        with pytest.raises(
            ConceptError,
            match=r"in bf16 the cosine to fp32 falls to .*: take --set embedding\.precision=fp32",
        ):
            loaded(str(tiny_clip), precision="bf16")


def test_a_verdict_of_another_version_or_damaged_is_none(empty_cache: Path) -> None:
    verdicts.store_verdict("f", PLAIN, "too far")
    assert verdicts.stored_verdict("f", PLAIN) == (True, "too far")
    assert verdicts.stored_verdict("f", TORCH) == (False, None)
    [path] = (empty_cache / "verdicts").iterdir()
    path.write_bytes(b"{")
    assert verdicts.stored_verdict("f", PLAIN) == (False, None)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "about.json", "tokenizer.json"])
def test_damaged_files_are_made_again(tiny_clip: Path, empty_cache: Path, name: str) -> None:
    before = loaded(str(tiny_clip), "openvino", "fp32").encode_texts(WORDS)
    assert len({*(empty_cache / "openvino").iterdir()}) == 2
    for path in (empty_cache / "openvino").rglob(name):
        path.write_bytes(path.read_bytes()[:-9])
    assert not all(conversion.is_whole(folder) for folder in (empty_cache / "openvino").iterdir())
    np.testing.assert_array_equal(loaded(str(tiny_clip), "openvino", "fp32").encode_texts(WORDS), before)
    assert all(conversion.is_whole(folder) for folder in (empty_cache / "openvino").iterdir())


def test_a_cache_that_cannot_be_written_is_one_line(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CONCEPT_CACHE", str(tmp_path / "file"))
    with pytest.raises(ConceptError, match="cannot keep converted models: Not a directory; name another"):
        loaded(str(tiny_clip), "openvino")


def test_the_second_process_needs_neither_torch_nor_the_network(tiny_clip: Path) -> None:
    encoder = loaded(str(tiny_clip), "openvino")
    script = (
        "import sys, socket, numpy as np\n"
        "def refuse(*_, **__): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from concept_lib.embedding.encoder import load_encoder\n"
        "encoder = load_encoder(sys.argv[1], device='cpu', backend='openvino')\n"
        "encoder.encode_texts(['cat']); encoder.encode_images([np.zeros((32, 40, 3), np.uint8)])\n"
        "print(encoder.fingerprint)\n"
        "slow = {'torch', 'transformers', 'sentence_transformers', 'openvino_telemetry.main'}\n"
        "print(sorted(slow & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, tiny_clip], capture_output=True, text=True, check=True
    )
    assert (told.stdout.split(), told.stderr) == ([encoder.fingerprint, "[]"], "")


def test_what_is_fastest_comes_first(monkeypatch: pytest.MonkeyPatch, bf16: None) -> None:
    assert choices("cpu") == [FASTEST, PLAIN, TORCH]
    assert choices("cpu", precision="fp32") == [PLAIN, TORCH]
    assert choices("cpu", "openvino", "bf16") == [FASTEST]
    monkeypatch.setattr(arithmetic, "_cpu_has_bf16", lambda: False)
    assert choices("cpu") == [PLAIN, TORCH]
    with pytest.raises(ConceptError, match=r"precision bf16 is not to be had here .*: take --set"):
        choices("cpu", precision="bf16")
    monkeypatch.setattr(arithmetic, "find_spec", lambda _: None)
    assert choices("cpu") == [TORCH]
    with pytest.raises(ConceptError, match="backend openvino is not installed: pip install openvino"):
        choices("cpu", "openvino")


@pytest.fixture
def graphics(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bool]]:
    """A machine whose torch says that it has a GPU."""
    import torch

    has = {"bf16": True}
    monkeypatch.setattr(arithmetic, "_GPU_DRIVERS", ("/dev/null",))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has["bf16"])
    return has


def test_a_gpu_is_taken_where_there_is_one(graphics: dict[str, bool]) -> None:
    assert choices() == [Arithmetic("torch", "bf16", "cuda"), Arithmetic("torch", "fp32", "cuda")]
    assert choices("cuda:1", precision="fp32") == [Arithmetic("torch", "fp32", "cuda:1")]
    assert choices(backend="openvino", precision="fp32") == [PLAIN]
    with pytest.raises(ConceptError, match="openvino computes on the cpu, not on cuda"):
        choices("cuda", "openvino")
    graphics["bf16"] = False
    assert choices()[0] == Arithmetic("torch", "fp16", "cuda")


def test_torch_computes_in_half_precision_and_on_several_devices(tiny_clip: Path) -> None:
    from concept_lib.embedding.model_files import locate
    from concept_lib.embedding.torch_tower import TorchImages, TorchTexts, load_model

    model = load_model(locate(str(tiny_clip)), "cpu")
    images = pixels(70, 32)
    single = TorchImages(model).encode_images(images)
    np.testing.assert_array_equal(TorchImages(model, devices=["cpu", "cpu"]).encode_images(images), single)
    half = TorchImages(model, precision="bf16").encode_images(images)
    assert 0 < np.abs(half - single).max() < 0.02
    words = TorchTexts(model, precision="bf16").encode_texts(WORDS)
    assert 0 < np.abs(words - TorchTexts(model).encode_texts(WORDS)).max() < 0.02


def test_the_fingerprint_of_torch_has_the_same_parts_as_ever(tiny_clip: Path) -> None:
    import hashlib

    names = ["config.json", "model.safetensors", "processor_config.json"]
    content = [[name, hashlib.sha256((tiny_clip / name).read_bytes()).hexdigest()] for name in names]
    parts = {"backend": "torch", "content": content, "pixels": 2, "precision": "fp32", "tower": "image"}
    expected = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()[:32]
    assert model_fingerprint(str(tiny_clip), device="cpu", backend="torch") == expected


def test_converted_models_are_named_by_what_made_them(tiny_clip: Path) -> None:
    folder = conversion.converted_folder(model_fingerprint(str(tiny_clip), precision="fp32", device="cpu"))
    loaded(str(tiny_clip), "openvino", "fp32")
    assert folder.is_dir()
    assert folder.is_relative_to(machine_cache())
