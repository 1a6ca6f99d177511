"""Pictures small enough to travel inside an event: contact sheets of the largest concepts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

MAX_BYTES = 24_000  # before base64, which adds a third
MAX_CELLS, COLUMNS = 9, 3
CELL = (216, 124)  # px: room for one picture
MARGIN, GUTTER = 20, 20  # px
TITLE_SIZE, SUBTITLE_SIZE, CAPTION = 13, 11, 40  # px: text heights, and room below a picture for both lines
INK, QUIET, PAPER, EMPTY = "#1c1e21", "#6b7076", "#ffffff", "#f4f4f1"
QUALITIES = (80, 70, 60, 50, 40, 30)


def contact_sheet(
    pictures: Sequence[Image.Image | None], titles: Sequence[str], subtitles: Sequence[str]
) -> Image.Image:
    """Lay out the first nine pictures in three columns, each with a title and a quieter line below.

    Parameters
    ----------
    pictures
        Shown whole, on white; None leaves its room empty.
    titles, subtitles
        One line each; cut with an ellipsis where it is too long.

    Returns
    -------
    Image.Image
        RGB; without a picture, a sheet that says so.

    Raises
    ------
    ValueError
        When the three differ in length.

    Examples
    --------
    >>> contact_sheet([Image.new("RGB", (400, 300), "teal")] * 4, ["teal"] * 4, ["40 images"] * 4).size
    (728, 388)
    """
    cells = list(zip(pictures, titles, subtitles, strict=True))[:MAX_CELLS]
    if not cells:
        return _empty()
    columns = min(COLUMNS, len(cells))
    rows = -(-len(cells) // columns)
    width, height = CELL[0], CELL[1] + CAPTION
    sheet = Image.new(
        "RGB",
        (
            2 * MARGIN + columns * width + (columns - 1) * GUTTER,
            2 * MARGIN + rows * height + (rows - 1) * GUTTER,
        ),
        PAPER,
    )
    for index, (picture, title, subtitle) in enumerate(cells):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * (width + GUTTER), MARGIN + row * (height + GUTTER)
        shown = Image.new("RGB", CELL, EMPTY) if picture is None else picture.convert("RGB")
        shown.thumbnail(CELL, Image.Resampling.LANCZOS)
        sheet.paste(shown, (left, top + CELL[1] - shown.height))
        _line(sheet, (left, top + CELL[1] + 6), title, TITLE_SIZE, INK)
        _line(sheet, (left, top + CELL[1] + 24), subtitle, SUBTITLE_SIZE, QUIET)
    return sheet


def small_webp(picture: Image.Image, max_bytes: int = MAX_BYTES) -> bytes:
    """WebP in the best quality that fits, half as large as a JPEG; a picture too rich for any is halved.

    Examples
    --------
    >>> len(small_webp(Image.effect_noise((900, 600), 90))) <= MAX_BYTES
    True
    """
    for quality in QUALITIES:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "WEBP", quality=quality)
        if buffer.tell() <= max_bytes:
            return buffer.getvalue()
    half = max(picture.width // 2, 1), max(picture.height // 2, 1)
    return small_webp(picture.resize(half, Image.Resampling.LANCZOS), max_bytes)


def small_chart(png: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """The same chart as a PNG of few colours, sharp and a fraction of the size; else as `small_webp`."""
    with Image.open(io.BytesIO(png)) as picture:
        chart = picture.convert("RGB")
    buffer = io.BytesIO()
    chart.quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue() if buffer.tell() <= max_bytes else small_webp(chart, max_bytes)


def _empty() -> Image.Image:
    """Say calmly that there is nothing to show."""
    sheet = Image.new("RGB", (2 * MARGIN + 2 * CELL[0], CELL[1]), PAPER)
    _line(sheet, (MARGIN, 48), "No concepts yet", TITLE_SIZE + 4, INK)
    _line(
        sheet,
        (MARGIN, 80),
        "More pictures, or a smaller clustering.min_concept_size, may bring some.",
        TITLE_SIZE - 1,
        QUIET,
        2 * CELL[0],
    )
    return sheet


def _line(
    sheet: Image.Image, place: tuple[int, int], text: str, size: int, color: str, room: int = CELL[0]
) -> None:
    """Write one line, cut with an ellipsis where its room ends."""
    font, text = _font(size), " ".join(text.split())
    if font.getlength(text) > room:
        while text and font.getlength(text + "…") > room:
            text = text[:-1]
        text = text.rstrip(" ,") + "…"
    ImageDraw.Draw(sheet).text(place, text, color, font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along: it has the letters of most languages."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")), size)
