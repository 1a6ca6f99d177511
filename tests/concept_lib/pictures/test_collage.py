"""Collages keep every picture whole, in proportion, in order and sharp."""

from __future__ import annotations

import io
import itertools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from concept_lib.pictures.collage import BACKGROUND, MAT, MAX_UPSCALE, WIDTH, encode_jpeg, make_collage

# Colours far from each other, from white and from the mat.
COLOURS = [(r, g, b) for r in (0, 70, 140) for g in (0, 70, 140) for b in (0, 70, 140)][:16]
ORDINARY = st.tuples(st.integers(128, 256), st.just(256)) | st.tuples(st.just(256), st.integers(128, 256))
ANY_SIZE = st.tuples(st.integers(1, 256), st.integers(1, 256))


def plain(sizes):
    """One picture of one colour for each size."""
    return [Image.new("RGB", size, colour) for size, colour in zip(sizes, COLOURS, strict=False)]


def find_boxes(collage, n):
    """Left, top, right, bottom of the pixels of each colour, and whether they fill that box."""
    pixels = np.asarray(collage)
    boxes = []
    for colour in COLOURS[:n]:
        mask = (pixels == colour).all(axis=2)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert rows.size, "a picture is missing"
        box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert mask[box[1] : box[3], box[0] : box[2]].all(), "a picture is covered or torn"
        boxes.append(box)
    return boxes


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(ORDINARY, min_size=1, max_size=16), width=st.sampled_from([512, 1024, 1600]))
def test_rows_are_justified_and_pictures_whole_sharp_and_in_order(sizes, width):
    gap = 8
    collage = make_collage(plain(sizes), width=width, gap=gap)
    assert collage.mode == "RGB"
    assert collage.width <= width
    boxes = find_boxes(collage, len(sizes))
    rows = {}
    for box in boxes:
        rows.setdefault((box[1], box[3]), []).append(box)
    tops = sorted(rows)
    assert tops[0][0] == 0
    assert tops[-1][1] == collage.height
    assert all(after[0] - before[1] == gap for before, after in itertools.pairwise(tops))
    for row in rows.values():
        assert row[0][0] == 0
        assert row[-1][2] == collage.width
        assert all(after[0] - before[2] == gap for before, after in itertools.pairwise(row))
    assert boxes == [box for key in tops for box in rows[key]], "reading order is lost"
    for (left, top, right, bottom), (own_width, own_height) in zip(boxes, sizes, strict=True):
        scale_x, scale_y = (right - left) / own_width, (bottom - top) / own_height
        assert max(scale_x, scale_y) <= MAX_UPSCALE * 1.03
        assert scale_x / scale_y == pytest.approx(1, abs=0.04)  # whole pixels


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(ANY_SIZE, min_size=1, max_size=16))
def test_no_size_breaks_the_layout(sizes):
    collage = make_collage(plain(sizes))
    assert 1 <= collage.width <= WIDTH
    assert collage.height <= 4 * WIDTH
    colours = {colour for _, colour in collage.getcolors(maxcolors=1 << 22)}
    n_edge = len(colours - {BACKGROUND, MAT, *COLOURS})
    assert n_edge == 0, "plain pictures give no other colours"
    assert colours >= set(COLOURS[: len(sizes)]), "a picture is missing"


@pytest.mark.parametrize("strip", [(256, 5), (5, 256)])
def test_a_strip_is_letterboxed_and_takes_no_more_than_its_share(strip):
    sizes = [(256, 192)] * 7
    collage = make_collage(plain([*sizes, strip]))
    boxes = find_boxes(collage, 8)
    left, top, right, bottom = boxes[-1]
    width, height = right - left, bottom - top
    assert max(width, height) / min(width, height) == pytest.approx(51.2, rel=0.3)
    areas = [(r - x) * (b - t) for x, t, r, b in boxes[:7]]
    assert min(areas) > 0.4 * max(areas)
    assert sum(areas) > 0.55 * collage.width * collage.height


@pytest.mark.parametrize("size", [(256, 256), (256, 192), (192, 256), (256, 171), (256, 144)])
@pytest.mark.parametrize("n", range(1, 17))
def test_the_whole_is_pleasant_in_shape_for_every_number(size, n):
    collage = make_collage(plain([size] * n))
    aspect = collage.width / collage.height
    assert 0.5 <= aspect <= (4 if n > 3 else 5.5)  # three sharp landscapes are a band
    boxes = find_boxes(collage, n)
    heights = [bottom - top for _, top, _, bottom in boxes]
    assert max(heights) <= 2.1 * min(heights)
    assert min(heights) >= 100


def test_eight_ordinary_thumbnails_fill_the_width():
    collage = make_collage(plain([(256, 192)] * 8))
    assert collage.width == 1048


def test_small_pictures_make_a_smaller_collage_not_a_blurred_one():
    collage = make_collage(plain([(64, 48)] * 4))
    assert collage.width < 512
    for left, top, right, bottom in find_boxes(collage, 4):
        assert (right - left, bottom - top) == (80, 60)


def test_one_small_picture_does_not_shrink_the_others():
    collage = make_collage(plain([(256, 192)] * 7 + [(16, 16)]))
    assert collage.width >= 750


def test_the_picture_is_that_of_the_thumbnails():
    rng = random.Random(0)
    image = Image.new("RGB", (256, 192))
    image.putdata([(x % 256, 128, rng.randrange(2)) for _ in range(192) for x in range(256)])
    collage = make_collage([image] * 4, width=256 * 2 + 8)
    part = np.asarray(collage.crop((0, 0, 256, 192))).astype(int)
    assert np.abs(part - np.asarray(image)).max() == 0  # at scale 1 nothing is touched


def test_equal_input_gives_equal_bytes():
    rng = np.random.default_rng(1)
    pictures = [Image.fromarray(rng.integers(0, 255, (200, 256, 3), dtype=np.uint8)) for _ in range(5)]
    assert encode_jpeg(make_collage(pictures)) == encode_jpeg(make_collage(pictures))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_pictures_of_any_mode(mode):
    assert make_collage([Image.new(mode, (200, 100))] * 3).mode == "RGB"


def test_no_picture_is_an_error():
    with pytest.raises(ValueError, match="at least one picture"):
        make_collage([])


def test_a_jpeg_keeps_the_picture_and_nothing_else():
    gradient = Image.linear_gradient("L").convert("RGB")
    gradient.info["exif"] = b"Exif\x00\x00secret"
    gradient.info["comment"] = b"secret"
    data = encode_jpeg(gradient)
    with Image.open(io.BytesIO(data)) as read:
        assert read.format == "JPEG"
        assert read.size == gradient.size
        assert np.abs(np.asarray(read).astype(int) - np.asarray(gradient)).mean() < 1
    assert b"secret" not in data


def test_photographs(shared):
    files = sorted((shared / "photos" / "apple").iterdir())[:8]
    thumbnails = []
    for file in files:
        with Image.open(file) as image:
            image.thumbnail((256, 256))
            thumbnails.append(image.convert("RGB"))
    data = encode_jpeg(make_collage(thumbnails))
    assert 20_000 < len(data) < 400_000
