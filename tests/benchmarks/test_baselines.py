"""The representations that the demo model is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import baselines
from benchmarks.photographs import central_squares, decode, find_photographs
from concept_lib.errors import ConceptError

RNG = np.random.default_rng(5)
PIXELS = [RNG.integers(0, 256, shape, np.uint8) for shape in ((128, 150, 3), (200, 128, 3), (128, 128, 3))]


def write_photographs(folder: Path) -> list[str]:
    """Three pictures in reverse order of their kinds' names, and their manifest."""
    lines = ["file,label,source"]
    for kind, colour in (("pear", "yellow"), ("kiwi", "brown"), ("apple", "red")):
        (folder / kind).mkdir(parents=True)
        Image.new("RGB", (40, 30), colour).save(folder / kind / "one.png")
        lines.append(f"{kind}/one.png,{kind},drawn")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return lines


@pytest.mark.parametrize("make", [baselines.pixel_components, baselines.colours_and_gradients])
def test_features_are_unit_rows_and_come_out_alike(make) -> None:
    vectors = make(PIXELS)
    assert vectors.dtype == np.float32
    assert len(vectors) == 3
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors, make(PIXELS))


def test_pixel_components_keep_the_cosines_of_centred_pixels() -> None:
    rows = central_squares(PIXELS, baselines.PCA_SIDE).reshape(3, -1).astype(float)
    rows -= rows.mean(axis=0)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = baselines.pixel_components(PIXELS)
    np.testing.assert_allclose(vectors @ vectors.T, rows @ rows.T, atol=1e-3)


def test_pixel_components_are_128_at_most() -> None:
    many = [RNG.integers(0, 256, (32, 32, 3), np.uint8) for _ in range(140)]
    assert baselines.pixel_components(many).shape == (140, 128)


def test_colours_and_gradients_weigh_the_same() -> None:
    vectors = baselines.colours_and_gradients(PIXELS)
    assert vectors.shape == (3, 512 + 7 * 7 * 4 * 9)
    np.testing.assert_allclose((vectors[:, :512] ** 2).sum(axis=1), 0.5, atol=1e-5)
    red = np.zeros((128, 128, 3), np.uint8)
    red[..., 0] = 255
    [vector] = baselines.colours_and_gradients([red])  # one colour, no edge
    assert vector[7 * 64] == 1
    assert np.count_nonzero(vector) == 1


def test_random_weights_are_seeded_and_load_as_the_product_loads_models(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    from safetensors.numpy import load_file

    from concept_lib.embedding.encoder import load_encoder
    from concept_lib.embedding.model_files import locate

    trained = locate("demo").folder
    folders = [
        baselines.random_weights(trained, tmp_path / str(i), seed=seed) for i, seed in enumerate((1, 1, 2))
    ]
    one, same, other = (load_file(folder / "model.safetensors") for folder in folders)
    known = load_file(trained / "model.safetensors")
    assert set(known) <= set(one)
    assert all(np.array_equal(one[name], same[name]) for name in one)
    widest = max(known, key=lambda name: known[name].size)
    assert one[widest].shape == known[widest].shape
    assert not np.array_equal(one[widest], other[widest])
    assert not np.allclose(one[widest], known[widest].astype(np.float32), atol=1e-3)

    encoder = load_encoder(str(folders[0]))
    vectors = baselines.encode(encoder, [np.zeros((96, 96, 3), np.uint8)] * 40)
    assert vectors.shape == (40, encoder.dim)
    assert encoder.confidence == load_encoder("demo").confidence


def test_random_weights_need_a_config(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match=r"has no config\.json of transformers"):
        baselines.random_weights(tmp_path, tmp_path / "target")


def test_photographs_come_in_the_order_of_their_contents(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    (tmp_path / "copy.png").write_bytes((tmp_path / "pear/one.png").read_bytes())
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(manifest.read_text() + "\ncopy.png,pear,copied\n")
    found = find_photographs(tmp_path)
    assert sorted(found.files) == ["apple/one.png", "copy.png", "kiwi/one.png"]  # a content once
    assert dict(zip(found.files, found.kinds, strict=True))["copy.png"] == "pear"

    pixels = decode(found, 16)
    assert [array.shape for array in pixels] == [(16, 21, 3)] * 3
    red = pixels[found.kinds.index("apple")]
    assert (red == [255, 0, 0]).all()


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    write_photographs(tmp_path)
    (tmp_path / "kiwi/one.png").write_bytes(b"no picture")
    with pytest.raises(ConceptError, match=r"kiwi/one\.png cannot be measured: "):
        decode(find_photographs(tmp_path), 16)
