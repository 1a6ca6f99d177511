"""One picture a concept: its exemplars in justified rows, whole and sharp."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

WIDTH = 1048  # four thumbnails of 256 px and their gaps: pictures of one shape are shown pixel by pixel
MAX_UPSCALE = 1.25  # beyond it a thumbnail looks soft; the collage gets narrower instead
CELL_ASPECTS = (0.4, 2.5)  # a longer or taller picture is letterboxed, so that it cannot take over a row
MIN_CELL_SIDE = 160  # px; a smaller picture stands in a cell of this size
PLEASANT_ASPECT = 1.8  # width / height of the whole
BACKGROUND = (255, 255, 255)
MAT = (244, 244, 241)  # behind a picture that does not fill its cell


@dataclass(frozen=True, slots=True)
class _Cell:
    """Room for one picture: width / height, and the height at which the picture is still sharp."""

    aspect: float
    max_height: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Rows as half-open ranges of cells, and how far they are from a good picture."""

    rows: tuple[tuple[int, int], ...]
    width: int
    cost: float


def make_collage(thumbnails: Sequence[Image.Image], *, width: int = WIDTH, gap: int = 8) -> Image.Image:
    """Lay pictures out in justified rows, in reading order.

    Nothing is cropped. The pictures of a row share its height and fill the width exactly. The row breaks
    for each number of rows come from dynamic programming (as Knuth and Plass 1981 break paragraphs); the
    number is the one whose rows are most alike in height and whose whole is most pleasant in shape.

    Parameters
    ----------
    thumbnails
        One or more pictures; the first is the first in reading order.
    width
        Pixels at most. Small pictures make a narrower collage, never a blurred one.
    gap
        Pixels between pictures.

    Returns
    -------
    Image.Image
        RGB, `width` pixels wide or less.

    Raises
    ------
    ValueError
        Without a picture.

    Examples
    --------
    >>> eight = [Image.new("RGB", (256, 192), "teal")] * 8
    >>> make_collage(eight).size
    (1048, 392)
    """
    if not thumbnails:
        raise ValueError("a collage needs at least one picture")
    cells = tuple(_cell(picture) for picture in thumbnails)
    best = _best_layout(cells, width, gap)
    boxes = list(_boxes(cells, best, gap))
    canvas = Image.new("RGB", (best.width, max(bottom for _, _, _, bottom in boxes)), BACKGROUND)
    for picture, box in zip(thumbnails, boxes, strict=True):
        _paste(canvas, picture, box)
    return canvas


def encode_jpeg(image: Image.Image, quality: int = 90) -> bytes:
    """JPEG of a picture: full colour resolution, no metadata.

    Neither optimised nor progressive: for these Pillow needs the whole file in one buffer, whose size it
    guesses, and a noisy picture at full colour resolution does not fit.

    Examples
    --------
    >>> encode_jpeg(Image.new("RGB", (8, 8)))[:3].hex()
    'ffd8ff'
    """
    clean = image.convert("RGB")
    clean.info = {}  # Pillow would write a comment or a colour profile that it finds here
    buffer = io.BytesIO()
    clean.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _cell(picture: Image.Image) -> _Cell:
    """Room that a picture asks for."""
    width, height = picture.size
    low, high = CELL_ASPECTS
    aspect = min(max(width / height, low), high)
    longest = max(width, height, MIN_CELL_SIDE) * MAX_UPSCALE
    return _Cell(aspect, longest / max(aspect, 1.0))


@lru_cache(256)  # photographs come in few shapes
def _best_layout(cells: tuple[_Cell, ...], width: int, gap: int) -> _Layout:
    """The number of rows that makes the best picture."""
    counts = range(1, min(len(cells), 12) + 1)
    return min((_layout(cells, n_rows, width, gap) for n_rows in counts), key=lambda layout: layout.cost)


def _layout(cells: Sequence[_Cell], n_rows: int, width: int, gap: int) -> _Layout:
    """Best breaks for a number of rows, as wide as stays sharp, and their cost."""
    rows = _break(cells, n_rows)
    widths, aspects = [float(width)], []
    for start, stop in rows:
        row = cells[start:stop]
        aspects.append(sum(cell.aspect for cell in row))
        widths.append(min(cell.max_height for cell in row) * aspects[-1] + gap * (len(row) - 1))
    actual = max(int(min(widths)), 1)
    heights = [
        max(actual - gap * (stop - start - 1), 1) / aspect
        for (start, stop), aspect in zip(rows, aspects, strict=True)
    ]
    mean = sum(map(math.log, heights)) / n_rows
    uneven = sum((math.log(height) - mean) ** 2 for height in heights) / n_rows
    shape = math.log(actual / (sum(heights) + gap * (n_rows - 1)) / PLEASANT_ASPECT) ** 2
    narrow = math.log(width / actual) ** 2
    return _Layout(rows, actual, 2 * uneven + shape + narrow)


def _break(cells: Sequence[_Cell], n_rows: int) -> tuple[tuple[int, int], ...]:
    """Split cells into rows whose summed aspects differ least, by dynamic programming.

    Squared differences of logarithms are summed: a row twice as tall as it should be is as bad as one
    half as tall.
    """
    n = len(cells)
    sums = [0.0]
    for cell in cells:
        sums.append(sums[-1] + cell.aspect)
    target = math.log(sums[-1] / n_rows)
    # best[j]: cost of the first j cells in the rows so far, and their breaks
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ()), *[(math.inf, ())] * n]
    for _ in range(n_rows):
        previous = best
        best = [(math.inf, ())] * (n + 1)
        for stop in range(1, n + 1):
            for start in range(stop):
                cost = previous[start][0] + (math.log(sums[stop] - sums[start]) - target) ** 2
                if cost < best[stop][0]:
                    best[stop] = (cost, (*previous[start][1], start))
    starts = best[n][1]
    return tuple(zip(starts, (*starts[1:], n), strict=True))


def _boxes(cells: Sequence[_Cell], layout: _Layout, gap: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of each cell in whole pixels; every row ends at the right edge."""
    top = 0
    for start, stop in layout.rows:
        row = cells[start:stop]
        room = max(layout.width - gap * (len(row) - 1), len(row))
        total = sum(cell.aspect for cell in row)
        bottom = top + max(round(room / total), 1)
        passed = 0.0
        for index, cell in enumerate(row):
            left = round(room * passed / total) + gap * index
            passed += cell.aspect
            yield left, top, round(room * passed / total) + gap * index, bottom
        top = bottom + gap


def _paste(canvas: Image.Image, picture: Image.Image, box: tuple[int, int, int, int]) -> None:
    """Fit a picture into its box: edge to edge where it has the box's shape, on a mat where not."""
    left, top, right, bottom = box
    width, height = max(right - left, 1), max(bottom - top, 1)
    scale = min(width / picture.width, height / picture.height, MAX_UPSCALE)
    fitted = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    # Whole pixels bend an aspect ratio a little; a hairline of mat would look worse.
    size = width if width - fitted[0] <= 3 else fitted[0], height if height - fitted[1] <= 3 else fitted[1]
    if size != (width, height):
        canvas.paste(MAT, box)
    # Shrunk, Hamming's filter is as sharp as the wider ones, and twice as fast; enlarged, it would show steps.
    shrinks = size[0] <= picture.width and size[1] <= picture.height
    kernel = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    resized = picture.convert("RGB").resize(size, kernel)
    canvas.paste(resized, (left + (width - size[0]) // 2, top + (height - size[1]) // 2))
