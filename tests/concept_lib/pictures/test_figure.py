"""The overview figure: any number of concepts, any words."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from concept_lib.pictures.figure import overview_figure

COLOURS = [(40 * i, 200 - 20 * i, 90) for i in range(6)] + [(10, 10, 200), (200, 10, 10), (90, 0, 90)]


def draw(n, title="apple, pear, plum", size=(1024, 520)):
    collages = [Image.new("RGB", size, COLOURS[i % 9]) for i in range(n)]
    subtitles = [f"{40 - i} images" for i in range(n)]
    with Image.open(io.BytesIO(overview_figure(collages, [title] * n, subtitles))) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def places(pixels, n):
    """Top left corner of each collage, row by row, and its size."""
    found = []
    for colour in COLOURS[:n]:
        rows, columns = np.nonzero((pixels == colour).all(axis=2))
        assert rows.size, "a collage is missing"
        found.append((rows.min(), columns.min(), rows.max() + 1, columns.max() + 1))
    return found


@pytest.mark.parametrize("n", range(1, 10))
def test_every_collage_is_there_whole_and_in_reading_order(n):
    pixels = draw(n)
    boxes = places(pixels, n)
    assert [box[:2] for box in boxes] == sorted(box[:2] for box in boxes)
    for (top, left, bottom, right), colour in zip(boxes, COLOURS, strict=False):
        assert (pixels[top:bottom, left:right] == colour).all()
        assert (right - left) / (bottom - top) == pytest.approx(1024 / 520, rel=0.01)
    columns = len({left for _, left, _, _ in boxes})
    assert columns == {1: 1, 2: 2, 4: 2}.get(n, 3)


@pytest.mark.parametrize("n", range(10))
def test_the_margin_is_clean_and_something_is_written(n):
    pixels = draw(n)
    for edge in (pixels[:30], pixels[-30:], pixels[:, :30], pixels[:, -30:]):
        assert (edge == 255).all()
    assert (pixels < 80).all(axis=2).sum() > 100  # ink


def test_only_nine_are_drawn():
    assert draw(12).shape == draw(9).shape


def test_tall_and_small_collages_stay_in_their_panels():
    for size in [(300, 2000), (2000, 100), (40, 30), (1, 1)]:
        pixels = draw(9, size=size)
        boxes = places(pixels, 9)
        assert all(bottom - top <= 480 and right - left <= 540 for top, left, bottom, right in boxes)


@pytest.mark.parametrize(
    "title",
    [
        "a very long name " * 20,
        "Donaudampfschifffahrtsgesellschaft" * 9,
        "$x^2$ and $broken{",
        "猫, 犬, ねこ",
        "🍎 apple",
        "two\nlines\tand a tab",
        "",
        " ",
    ],
)
def test_a_title_of_any_kind_stays_in_its_panel(title):
    pixels = draw(2, title=title)
    gutter = pixels[:, 60 + 540 + 6 : 60 + 540 + 44 - 2]
    assert (gutter == 255).all()
    assert pixels.shape == draw(2).shape


def test_lengths_that_differ_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        overview_figure([Image.new("RGB", (9, 9))], ["a", "b"], ["c"])


def test_equal_input_gives_equal_bytes_without_pyplot():
    code = (
        "import sys, hashlib\n"
        "from PIL import Image\n"
        "from concept_lib.pictures.figure import overview_figure\n"
        "assert 'matplotlib' not in sys.modules\n"
        "data = overview_figure([Image.new('RGB', (90, 60), 'teal')], ['cat'], ['3 images'])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "print(hashlib.sha256(data).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in "ab"
    ]
    assert runs[0].stdout == runs[1].stdout != ""
