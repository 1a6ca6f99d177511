"""One figure of the largest concepts, for a run's page and for a README."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from concept_lib.pictures.drawing import DPI, INK, PAPER, QUIET, any_script, blank, render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PANELS = 9
PANEL_WIDTH, MARGIN, GUTTER = 540, 60, 44  # px
TITLE_SIZE, SUBTITLE_SIZE, HEADER = 24, 17, 74  # px: text heights, and room above a collage
MAX_PANEL_HEIGHT = 480  # px


def overview_figure(
    collages: Sequence[Image.Image], titles: Sequence[str], subtitles: Sequence[str]
) -> bytes:
    """Draw the first nine concepts as a grid of collages with a title and a quieter line each.

    Parameters
    ----------
    collages
        One picture a concept, largest concept first; those after the ninth are left out.
    titles
        One line each; cut with an ellipsis where it is too long.
    subtitles
        One line each, such as ``"40 images, confidence 0.93"``.

    Returns
    -------
    bytes
        PNG; without a concept, a panel that says so.

    Raises
    ------
    ValueError
        When the three differ in length.
    """
    panels = list(zip(collages, titles, subtitles, strict=True))[:MAX_PANELS]
    return render(_grid(panels) if panels else _empty())


def panel_figure(
    collages: Sequence[Image.Image],
    titles: Sequence[str],
    subtitles: Sequence[str],
    figsize: tuple[float, float],
) -> Figure:
    """Draw concepts in a figure of the caller's size, for a notebook; as many as are given.

    Parameters
    ----------
    collages, titles, subtitles
        As in `overview_figure`.
    figsize
        Width and height, inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        """A figure that notebooks show without pyplot."""

        def _repr_png_(self) -> bytes:
            return render(self)

    figure = ShownFigure(figsize=figsize, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    n_columns = min(3, max(1, math.ceil(math.sqrt(len(collages)))))
    n_rows = max(1, math.ceil(len(collages) / n_columns))
    grid = figure.subplots(n_rows, n_columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, collage, title, subtitle in zip(grid.flat, collages, titles, subtitles, strict=False):
        axes.imshow(np.asarray(collage.convert("RGB")))
        line = f"{' '.join(title.split())[:40]}  ·  {subtitle}"
        axes.set_title(line, loc="left", fontsize=max(9.0, figsize[0] * 0.75), color=INK, parse_math=False)
    return figure


def _grid(panels: Sequence[tuple[Image.Image, str, str]]) -> Figure:
    """Rows of panels; a row is as high as its highest collage."""
    n_columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    fitted = [_fit(collage) for collage, _, _ in panels]
    rows = [range(i, min(i + n_columns, len(panels))) for i in range(0, len(panels), n_columns)]
    heights = [max(fitted[i].height for i in row) for row in rows]
    width = 2 * MARGIN + n_columns * PANEL_WIDTH + (n_columns - 1) * GUTTER
    height = 2 * MARGIN + sum(heights) + len(rows) * HEADER + (len(rows) - 1) * GUTTER
    figure = blank(width, height)
    top = MARGIN
    for row, row_height in zip(rows, heights, strict=True):
        for column, index in enumerate(row):
            left = MARGIN + column * (PANEL_WIDTH + GUTTER)
            _, title, subtitle = panels[index]
            _text(figure, left, top, title, size=TITLE_SIZE, color=INK, weight="bold")
            _text(figure, left, top + TITLE_SIZE + 11, subtitle, size=SUBTITLE_SIZE, color=QUIET)
            collage = fitted[index]
            bottom = height - top - HEADER - collage.height  # figimage counts from the bottom
            figure.figimage(np.asarray(collage), left, bottom, origin="upper")
        top += HEADER + row_height + GUTTER
    return figure


def _empty() -> Figure:
    """Say calmly that there is nothing to show."""
    width, height = 2 * MARGIN + 2 * PANEL_WIDTH + GUTTER, 420
    figure = blank(width, height)
    lines = (
        ("No concepts yet", TITLE_SIZE + 8, INK, "bold", 0.56),
        (
            "More pictures, or a smaller clustering.min_concept_size, may bring some.",
            18,
            QUIET,
            "normal",
            0.43,
        ),
    )
    for line, size, color, weight, y in lines:
        figure.text(
            0.5, y, line, ha="center", va="center", fontsize=size * 72 / DPI, color=color, fontweight=weight
        )
    return figure


def _fit(collage: Image.Image) -> Image.Image:
    """Scale a collage down into a panel; a small one keeps its size."""
    scale = min(PANEL_WIDTH / collage.width, MAX_PANEL_HEIGHT / collage.height, 1.0)
    size = max(math.floor(collage.width * scale), 1), max(math.floor(collage.height * scale), 1)
    return collage.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def _text(
    figure: Figure, left: int, top: int, line: str, *, size: int, color: str, weight: str = "normal"
) -> None:
    """Write one line, cut with an ellipsis at the panel's edge."""
    width, height = figure.get_size_inches() * DPI
    line = " ".join(line.split())
    text = figure.text(
        left / width,
        1 - top / height,
        line,
        ha="left",
        va="top",
        fontsize=size * 72 / DPI,
        color=color,
        fontweight=weight,
        parse_math=False,  # a dollar sign in a word is a dollar sign
    )
    with any_script():
        while len(line) > 1 and text.get_window_extent().width > PANEL_WIDTH:
            shorter, _, _ = line.rpartition(" ")  # whole words go first
            line = (shorter or line[:-1]).rstrip(",")
            text.set_text(line + " …" if shorter else line + "…")
