from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from concept_lib.images import modes
from concept_lib.images.files import UnusableError
from concept_lib.images.raster import Picture, decode, pixel_array, thumbnail_jpeg


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes, *, thumbnail: bool = False, pixel_size: int | None = None) -> Picture:
    return decode(data, max_pixels=50_000_000, thumbnail=thumbnail, pixel_size=pixel_size)


def pixels_of(data: bytes) -> np.ndarray:
    """All pixels, at their own size."""
    picture = decoded(data)
    return np.asarray(picture.upright(picture.image))


def smooth(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([255 * x // width, 255 * y // height, 255 * (x + y) // (width + height)], -1).astype(
        np.uint8
    )


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_greys_keep_their_range(random: np.random.Generator, kind: str) -> None:
    values = random.integers(0, 65_536, (20, 30), dtype=np.uint16)
    greys = pixels_of(encoded(Image.fromarray(values), kind))
    expected = np.rint(values / 65_535 * 255)
    assert np.abs(greys - expected[..., None]).max() <= 0.5
    dark = np.full((4, 4), 2570, np.uint16)
    assert (pixels_of(encoded(Image.fromarray(dark), kind)) == 10).all()


def test_floats_and_integers_are_read_by_their_own_range() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    for scale, shift in ((1, 0), (255, 0), (65_535, 0), (1e6, 0), (2, -1)):
        greys = pixels_of(encoded(Image.fromarray(ramp * np.float32(scale) + np.float32(shift)), "TIFF"))
        assert np.abs(greys[..., 0].astype(int) - expected).max() <= 1, (scale, shift)
    dim = pixels_of(encoded(Image.fromarray(ramp * np.float32(0.25)), "TIFF"))
    assert dim.max() == 64
    integers = np.arange(256, dtype=np.int32).reshape(16, 16)
    assert (pixels_of(encoded(Image.fromarray(integers * 257), "TIFF"))[..., 2] == expected).all()
    broken = ramp.copy()
    broken[0, :3] = np.nan, np.inf, -np.inf
    assert pixels_of(encoded(Image.fromarray(broken), "TIFF"))[0, :3, 0].tolist() == [0, 255, 0]


def test_alpha_is_laid_on_white(random: np.random.Generator) -> None:
    rgba = random.integers(0, 256, (20, 30, 4), dtype=np.uint8)
    share = rgba[..., 3:] / 255
    expected = rgba[..., :3] * share + 255 * (1 - share)
    assert np.abs(pixels_of(encoded(Image.fromarray(rgba))) - expected).max() <= 1
    grey = Image.fromarray(rgba[..., :2].copy(), "LA")
    share = rgba[..., 1:2] / 255
    expected = rgba[..., :1] * share + 255 * (1 - share)
    assert np.abs(pixels_of(encoded(grey)) - expected).max() <= 1


def test_transparent_palettes_and_colour_keys_are_laid_on_white() -> None:
    indices = np.arange(16, dtype=np.uint8).reshape(4, 4)
    image = Image.fromarray(indices, "P")
    image.putpalette([value for index in range(16) for value in (index * 10, 0, 200)])
    alphas = np.arange(0, 256, 16, dtype=np.uint8)
    share = alphas[indices][..., None] / 255
    colours = np.stack([indices * 10, indices * 0, np.full_like(indices, 200)], -1)
    found = pixels_of(encoded(image, transparency=alphas.tobytes()))
    assert np.abs(found - (colours * share + 255 * (1 - share))).max() <= 1
    keyed = Image.new("RGB", (2, 1), (1, 2, 3))
    keyed.putpixel((1, 0), (9, 9, 9))
    assert pixels_of(encoded(keyed, transparency=(1, 2, 3))).tolist() == [[[255] * 3, [9] * 3]]
    gif = encoded(image, "GIF", transparency=3)
    assert pixels_of(gif)[0, 3].tolist() == [255, 255, 255]


def test_cmyk_bilevel_and_grey() -> None:
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        assert np.abs(pixels_of(encoded(cmyk, kind)).astype(int) - (255, 0, 0)).max() <= 3
    bits = np.eye(8, dtype=bool)
    assert (pixels_of(encoded(Image.fromarray(bits))) == np.where(bits, 255, 0)[..., None]).all()
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (pixels_of(encoded(Image.fromarray(grey))) == grey[..., None]).all()


def test_the_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue", "lime")]
    for kind in ("GIF", "WEBP", "PNG", "AVIF", "TIFF"):
        found = pixels_of(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert np.abs(found.astype(int) - (255, 0, 0)).max() <= 6, kind


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = Image.fromarray(smooth(48, 96))
    data = encoded(source, kind, exif=exif, **({"quality": 95} if kind != "TIFF" else {}))
    source.getexif()[0x0112] = orientation
    upright = ImageOps.exif_transpose(source)
    picture = decoded(data, thumbnail=True, pixel_size=24)
    assert (picture.width, picture.height) == upright.size
    assert np.abs(pixels_of(data).astype(int) - np.asarray(upright)).mean() < 3
    small = pixel_array(picture, 24)
    assert min(small.shape[:2]) == 24
    assert np.abs(small.astype(int) - np.asarray(upright.resize(small.shape[1::-1]))).mean() < 3
    thumbnail = Image.open(io.BytesIO(thumbnail_jpeg(picture)))
    assert thumbnail.size == upright.size
    assert len(thumbnail.getexif()) == 0


def test_broken_metadata_does_not_fail_a_picture() -> None:
    data = encoded(Image.fromarray(smooth(16, 24)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert decoded(data).width == 24
    exif = Image.Exif()
    exif[0x0112] = 99
    assert decoded(encoded(Image.fromarray(smooth(16, 24)), "JPEG", exif=exif)).orientation == 1


def test_pixels_equal_a_plain_bicubic_resize() -> None:
    source = Image.fromarray(smooth(200, 300))
    pixels = pixel_array(decoded(encoded(source), pixel_size=96), 96)
    assert (pixels == np.asarray(source.resize((144, 96), Image.Resampling.BICUBIC))).all()


@pytest.mark.parametrize("size", [(640, 640), (700, 650), (1080, 720), (300, 1200)])
@pytest.mark.parametrize("side", [40, 96, 224])
def test_pixels_do_not_depend_on_a_thumbnail_beside_them(size: tuple[int, int], side: int) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (*size, 3), np.uint8)
    data = encoded(Image.fromarray(noise), "JPEG")
    alone = pixel_array(decoded(data, pixel_size=side), side)
    beside = pixel_array(decoded(data, thumbnail=True, pixel_size=side), side)
    np.testing.assert_array_equal(alone, beside)


def test_scaled_decoding_of_jpeg_is_close_to_a_plain_resize(shared: Path) -> None:
    for file in sorted((shared / "photos").rglob("*.jpg"))[::200]:
        photo = Image.open(file).convert("RGB")
        data = encoded(photo.resize((4 * photo.width, 4 * photo.height)), "JPEG")
        source = Image.open(io.BytesIO(data))
        picture = decoded(data, pixel_size=32)
        assert picture.image.width < source.width
        pixels = pixel_array(picture, 32)
        plain = np.asarray(source.resize(pixels.shape[1::-1], Image.Resampling.BICUBIC))
        assert np.abs(pixels.astype(int) - plain).mean() < 2
        assert (picture.width, picture.height) == source.size


def test_long_pictures_are_cut_to_their_middle() -> None:
    strip = np.zeros((10, 1000, 3), np.uint8)
    strip[:, 480:520] = 255
    pixels = pixel_array(decoded(encoded(Image.fromarray(strip)), pixel_size=20), 20)
    assert pixels.shape == (20, 80, 3)
    assert (pixels[:, 4:-4] == 255).all()
    tall = decoded(encoded(Image.new("L", (1, 60_000))), thumbnail=True, pixel_size=24)
    assert pixel_array(tall, 24).shape == (96, 24, 3)
    assert Image.open(io.BytesIO(thumbnail_jpeg(tall))).size == (1, 256)


def test_thumbnails_keep_the_aspect_and_are_never_enlarged() -> None:
    large = decoded(encoded(Image.fromarray(smooth(600, 900)), "JPEG", comment=b"private"), thumbnail=True)
    jpeg = thumbnail_jpeg(large)
    assert Image.open(io.BytesIO(jpeg)).size == (256, 171)
    assert b"private" not in jpeg
    small = decoded(encoded(Image.fromarray(smooth(20, 30))), thumbnail=True)
    assert Image.open(io.BytesIO(thumbnail_jpeg(small))).size == (30, 20)


def test_banded_conversion_equals_conversion_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rgba = np.dstack([smooth(1500, 2100), smooth(1500, 2100)[..., 1]])
    for source in (Image.fromarray(rgba), Image.fromarray(rgba[..., 0].astype(np.float32) * 900)):
        data = encoded(source, "TIFF")
        whole = pixel_array(decoded(data, pixel_size=20), 20)
        with monkeypatch.context() as patch:
            patch.setattr(modes, "_BAND_PIXELS", 300_000)
            picture = decoded(data, pixel_size=20)
            assert picture.image.size == (525, 375)
            assert np.abs(pixel_array(picture, 20).astype(int) - whole).max() <= 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"hello", "not a readable JPEG, PNG, WEBP, GIF, BMP, TIFF or AVIF file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n{} loop\n%%EOF\n", "not a readable"),
        (encoded(Image.effect_noise((64, 64), 90))[:-300], "cannot be decoded: image file is truncated"),
        (
            encoded(Image.fromarray(smooth(64, 64)), "JPEG", quality=95)[:-60],
            "cannot be decoded: image file is truncated",
        ),
    ],
)
def test_broken_data_fails_in_one_line(data: bytes, reason: str) -> None:
    with pytest.raises(UnusableError) as caught:
        decoded(data)
    assert caught.value.status == "failed"
    assert caught.value.reason.startswith(reason)
    assert caught.value.reason.isprintable()


def test_pixels_are_limited_from_the_header() -> None:
    data = encoded(Image.new("1", (1000, 1001)))
    assert decode(data, max_pixels=1_001_000, thumbnail=True, pixel_size=None).width == 1000
    for most in (1_000_999, 10_000):
        with pytest.raises(UnusableError, match="megapixel limit") as caught:
            decode(data, max_pixels=most, thumbnail=True, pixel_size=None)
        assert caught.value.status == "skipped"
