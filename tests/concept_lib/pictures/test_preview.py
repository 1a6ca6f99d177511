"""Previews are small, whole and legible, whatever they are made of."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from concept_lib.pictures.preview import (
    CAPTION,
    CELL,
    MARGIN,
    MAX_BYTES,
    PAPER,
    contact_sheet,
    small_chart,
    small_webp,
)

WHITE = (255, 255, 255)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(values)


def test_each_picture_stands_whole_above_its_lines() -> None:
    wide, tall = Image.new("RGB", (400, 100), "red"), Image.new("RGB", (100, 400), "blue")
    sheet = contact_sheet([wide, tall], ["wide", "tall"], ["1 image", "2 images"])
    assert PAPER == "#ffffff"
    assert sheet.getpixel((0, 0)) == WHITE
    pixels = np.asarray(sheet)
    red, blue = (pixels == (255, 0, 0)).all(axis=2), (pixels == (0, 0, 255)).all(axis=2)
    assert red.sum() == CELL[0] * CELL[0] // 4
    assert blue.sum() == CELL[1] * CELL[1] // 4
    bottom = MARGIN + CELL[1]
    assert np.flatnonzero(red.any(axis=1))[-1] == np.flatnonzero(blue.any(axis=1))[-1] == bottom - 1
    below = pixels[bottom : bottom + CAPTION].min(axis=2)
    assert (below < 120).sum() > 50, "words"


def test_nine_at_most_and_none_is_said_in_words() -> None:
    many = contact_sheet([Image.new("RGB", CELL)] * 20, ["x"] * 20, ["y"] * 20)
    assert many.size == contact_sheet([Image.new("RGB", CELL)] * 9, ["x"] * 9, ["y"] * 9).size
    assert (np.asarray(contact_sheet([], [], [])) < 100).any()
    assert contact_sheet([None], ["gone"], [""]).size[1] > CELL[1]
    with pytest.raises(ValueError, match="argument"):
        contact_sheet([None], [], [])


def test_a_long_title_stays_in_its_cell() -> None:
    sheet = contact_sheet([None, None], ["wonderful " * 20, ""], ["", ""])
    gap = np.asarray(sheet)[:, MARGIN + CELL[0] : MARGIN + CELL[0] + 20]
    assert (gap == 255).all()


def test_the_richest_picture_becomes_small() -> None:
    data = small_webp(noise(900, 700))
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.width / picture.height == pytest.approx(900 / 700, rel=0.02)


@pytest.mark.parametrize(
    ("picture", "kind"), [(Image.new("RGB", (640, 340)), "PNG"), (noise(640, 340), "WEBP")]
)
def test_a_chart_is_sharp_where_it_can_be(picture: Image.Image, kind: str) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    data = small_chart(buffer.getvalue())
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as found:
        assert found.format == kind
