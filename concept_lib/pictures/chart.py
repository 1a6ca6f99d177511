"""Small charts for the page of an asset: sizes of the concepts, and a thumbnail of the map."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from concept_lib.pictures.preview import INK, PAPER, QUIET, small_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
BAR, RULE, UNKNOWN = "#4c78a8", "#e3e5e8", "#c9ccd1"
GREYS = (14, 15)  # of tab20: grey is for images of no concept
DENSITY_CELLS = 60  # a side of the map
MAX_BINS = 24


def size_histogram(sizes: Sequence[int], n_outliers: int) -> bytes:
    """Draw how many concepts have how many images.

    Parameters
    ----------
    sizes
        Images of each concept.
    n_outliers
        Images of no concept; told in words.

    Returns
    -------
    bytes
        PNG on white, or WebP where that is too large.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(640, 340)
    n_images = sum(sizes)
    total = n_images + n_outliers
    share = n_outliers / total if total else 0.0
    _titles(
        figure,
        axes,
        f"{len(sizes):,} concepts of {n_images:,} images",
        f"{n_outliers:,} images ({share:.0%}) are in no concept",
    )
    if sizes:
        low, high = min(sizes), max(sizes)
        width = max(-(-(high - low + 1) // MAX_BINS), 1)
        edges = np.arange(low, high + width + 1, width) - 0.5
        axes.hist(sizes, bins=list(edges), color=BAR, edgecolor=PAPER, linewidth=1.0)
    axes.set_xlabel("images of a concept", color=QUIET, fontsize=9.5)
    axes.set_ylabel("concepts", color=QUIET, fontsize=9.5)
    axes.grid(axis="y", color=RULE, linewidth=0.8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return _render(figure)


def map_thumbnail(
    plane: npt.NDArray[np.floating], concept_ids: npt.NDArray[np.integer], caption: str
) -> bytes:
    """Draw every image as a dot on the map.

    Parameters
    ----------
    plane
        Places, shape (n, 2).
    concept_ids
        What colours the dots, shape (n,): the concept of each image, -1 where it has none or none is known, which is
        grey. Where all are -1, a dot is the darker the more others lie about it.
    caption
        One line below the title.

    Returns
    -------
    bytes
        PNG on white, or WebP where that is too large.
    """
    from matplotlib import colormaps

    figure, axes = _figure(640, 520)
    known, (x, y) = concept_ids >= 0, plane.T
    size = float(np.clip(9000 / max(len(plane), 1), 1.5, 20))
    _titles(figure, axes, f"{len(plane):,} images", caption)
    if known.any():
        palette = np.delete(colormaps["tab20"](np.arange(20)), GREYS, axis=0)
        colours = palette[np.where(known, concept_ids, 0) % len(palette)]
        axes.scatter(x[~known], y[~known], s=size, c=UNKNOWN, linewidths=0)
        axes.scatter(x[known], y[known], s=size, c=colours[known], linewidths=0)
    elif len(plane):
        crowd = _density(plane)
        order = np.argsort(crowd, kind="stable")  # the densest on top
        pale = -0.6 * float(crowd.max())  # even a lonely dot is seen on white
        axes.scatter(x[order], y[order], s=size, c=crowd[order], cmap="GnBu", vmin=pale, linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return _render(figure)


def _density(plane: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """How many images lie in the same cell of a grid over the map, on a scale of roots."""
    span = np.ptp(plane, axis=0)
    cells = ((plane - plane.min(axis=0)) / np.where(span > 0, span, 1) * (DENSITY_CELLS - 1)).astype(int)
    flat = cells[:, 0] * DENSITY_CELLS + cells[:, 1]
    crowd: npt.NDArray[np.floating] = np.sqrt(np.bincount(flat)[flat])
    return crowd


def _figure(width: int, height: int) -> tuple[Figure, Axes]:
    """Make a figure of a size in pixels with one quiet pair of axes, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(RULE)
    axes.tick_params(colors=QUIET, length=0, labelsize=9)
    return figure, axes


def _titles(figure: Figure, axes: Axes, title: str, subtitle: str) -> None:
    """Write two lines above the axes, flush with the figure's left edge."""
    axes.set_title("\n\n", fontsize=11)  # room for both
    width, height = figure.get_size_inches() * DPI
    for line, size, color, weight, top in (
        (title, 13, INK, "bold", 14),
        (subtitle, 9.5, QUIET, "normal", 36),
    ):
        figure.text(
            16 / width, 1 - top / height, line, va="top", fontsize=size, color=color, fontweight=weight
        )


def _render(figure: Figure) -> bytes:
    """A small picture, the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return small_chart(buffer.getvalue())
