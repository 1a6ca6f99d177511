"""The map of all images as one still picture, for a run's page and for print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from concept_lib.pictures.drawing import DPI, INK, PAPER, QUIET, any_script, blank, render
from concept_lib.pictures.palette import concept_colours
from concept_lib.pictures.placement import Box, place_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH, HEIGHT = 1400, 1200  # px
MARGIN, HEADER = 48, 104  # px: free edge, and the room of the title
TITLE_SIZE, COUNT_SIZE = 30, 19  # px
LARGEST_TEXT, SMALLEST_TEXT = 24, 12  # px: labels of few concepts, and of many
LONGEST = 26  # characters of a label
PADDING = 5  # px around a label
LED = 1.3  # heights of a label: one that stands farther from its place is led there by a line
OUTLIER = "#b9bec5"

Points = npt.NDArray[np.floating]


def map_figure(
    plane: Points,
    concept_ids: npt.NDArray[np.integer],
    labels: Mapping[int, str],
    *,
    title: str = "The map of all images",
) -> bytes:
    """Draw each image as a dot of its concept's colour, and each concept's label beside its dots.

    Neighbouring concepts differ in colour; colours come again elsewhere. Outliers are small and grey. Labels are cut
    where they are long and never overlap; where there is no room for one, the larger concept keeps its own.

    Parameters
    ----------
    plane
        Coordinates of each image, shape (n, 2), finite.
    concept_ids
        Concept of each image, shape (n,), -1 for an outlier.
    labels
        Label of each concept that has one.
    title
        One line above the map, over the counts.

    Returns
    -------
    bytes
        PNG of 1400 x 1200 pixels; without an image, one that says so.

    Raises
    ------
    ValueError
        When lengths differ or a coordinate is not finite.
    """
    if plane.shape != (len(concept_ids), 2) or not np.isfinite(plane).all():
        raise ValueError(f"plane must be finite, of shape ({len(concept_ids)}, 2), got {plane.shape}")
    sizes = Counter(concept_ids[concept_ids >= 0].tolist())
    ordered = sorted(sizes, key=lambda key: (-sizes[key], key))
    figure = blank(WIDTH, HEIGHT)
    _header(figure, title, _counts(concept_ids, len(ordered)))
    if len(plane):
        _draw(figure, _fitted(plane), concept_ids, ordered, labels)
    return render(figure)


def _counts(concept_ids: npt.NDArray[np.integer], n_concepts: int) -> str:
    """The line below the title.

    Examples
    --------
    >>> _counts(np.array([3, 3, -1]), 1)
    '3 images, 1 concept, 1 outlier'
    """
    if not len(concept_ids):
        return "No images yet. A refresh of a folder that holds some will fill this map."
    numbers = {"image": len(concept_ids), "concept": n_concepts, "outlier": int((concept_ids < 0).sum())}
    return ", ".join(f"{n:,} {what}{'' if n == 1 else 's'}" for what, n in numbers.items())


def _header(figure: Figure, title: str, counts: str) -> None:
    for line, top, size, color, weight in (
        (title, MARGIN, TITLE_SIZE, INK, "bold"),
        (counts, MARGIN + TITLE_SIZE + 14, COUNT_SIZE, QUIET, "normal"),
    ):
        figure.text(
            MARGIN / WIDTH,
            1 - top / HEIGHT,
            line,
            va="top",
            fontsize=size * 72 / DPI,
            color=color,
            fontweight=weight,
            parse_math=False,
        )


def _fitted(plane: Points) -> npt.NDArray[np.float64]:
    """Pixels of the coordinates: as large as there is room for, with the proportions kept."""
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN - HEADER])
    low, high = plane.min(axis=0).astype(np.float64), plane.max(axis=0).astype(np.float64)
    scale = (room / np.maximum(high - low, 1e-9)).min() if (high > low).any() else 1.0
    centre = np.array([WIDTH / 2, (HEIGHT - HEADER) / 2])
    fitted: npt.NDArray[np.float64] = centre + (plane - (low + high) / 2) * scale
    return fitted


def _draw(
    figure: Figure,
    points: npt.NDArray[np.float64],
    concept_ids: npt.NDArray[np.integer],
    ordered: Sequence[int],
    labels: Mapping[int, str],
) -> None:
    """Dots below, labels above."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    places = np.array([np.median(points[concept_ids == key], axis=0) for key in ordered]).reshape(-1, 2)
    colours = dict(zip(ordered, concept_colours(places), strict=True))
    diameter = float(np.clip(150 / np.sqrt(len(points)), 1.8, 9))  # points, 1/72 inch
    out = concept_ids < 0
    axes.scatter(points[out, 0], points[out, 1], s=(0.6 * diameter) ** 2, c=OUTLIER, alpha=0.8, linewidths=0)
    order = np.random.default_rng(0).permutation(
        np.flatnonzero(~out)
    )  # so that none lies above another as a whole
    axes.scatter(
        points[order, 0],
        points[order, 1],
        s=diameter**2,
        c=[colours[key] for key in concept_ids[order].tolist()],
        alpha=0.75,
        linewidths=0,
    )
    with any_script():
        row_of = {key: row for row, key in enumerate(ordered)}
        owners = np.array([row_of.get(key, -1) for key in concept_ids.tolist()], np.int32)
        shown = [labels.get(key, "") for key in ordered]
        _write_labels(figure, points, owners, places, shown, list(colours.values()))


def _write_labels(
    figure: Figure,
    points: Points,
    owners: npt.NDArray[np.int32],
    places: Points,
    labels: Sequence[str],
    colours: Sequence[str],
) -> None:
    """Write each label where it is clear of the others, in a dark shade of its concept's colour."""
    from matplotlib.patheffects import withStroke

    height = float(np.clip(LARGEST_TEXT - 1.15 * np.sqrt(len(labels)), SMALLEST_TEXT, LARGEST_TEXT))
    texts = [_text(figure, label, height, colour) for label, colour in zip(labels, colours, strict=True)]
    extents = [text.get_window_extent() for text in texts]
    sizes = np.array([(extent.width + 2 * PADDING, height + 2 * PADDING) for extent in extents]).reshape(
        -1, 2
    )
    canvas = Box(MARGIN / 2, MARGIN / 2, WIDTH - MARGIN / 2, HEIGHT - HEADER - MARGIN / 2)
    boxes = place_labels(places, sizes, points, owners, canvas)
    for text, place, box, colour in zip(texts, places, boxes, colours, strict=True):
        if box is None or not text.get_text():
            text.remove()
            continue
        centre = np.array([(box.left + box.right) / 2, (box.bottom + box.top) / 2])
        text.set_position((centre[0] / WIDTH, centre[1] / HEIGHT))
        text.set_path_effects([withStroke(linewidth=3.5, foreground=PAPER, alpha=0.9)])
        near = np.clip(place, [box.left, box.bottom], [box.right, box.top])
        if np.linalg.norm(near - place) > LED * height:
            figure.axes[0].plot(*np.stack([near, place]).T, color=colour, linewidth=0.9, alpha=0.7, zorder=3)


def _text(figure: Figure, label: str, height: float, colour: str) -> Text:
    from matplotlib.colors import to_rgb

    return figure.text(
        0.5,
        0.5,
        _cut(label),
        ha="center",
        va="center",
        fontsize=height * 72 / DPI,
        fontweight="bold",
        color=[0.55 * part for part in to_rgb(colour)],
        parse_math=False,
    )


def _cut(label: str) -> str:
    """One line of at most `LONGEST` characters; whole words go first.

    Examples
    --------
    >>> _cut("bean bag, cabbage, wheelbarrow"), _cut("Donaudampfschifffahrtsgesellschaft")
    ('bean bag, cabbage …', 'Donaudampfschifffahrtsges…')
    """
    line = " ".join(label.split())
    if len(line) <= LONGEST:
        return line
    words, _, _ = line[: LONGEST - 1].rpartition(" ")
    return f"{words.rstrip(',')} …" if words else f"{line[: LONGEST - 1]}…"
