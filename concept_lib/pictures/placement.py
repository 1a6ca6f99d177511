"""Where labels stand on a map: near their concepts, clear of each other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CELL = 4  # px: side of the cells in which points are counted
RINGS, SPOKES = 26, 24
FAR = 45.0  # px from its place at which a label costs as much as one that covers nothing but points
WEIGHT = 2.0  # how much worse covering all of its own points is than standing so far off


class Box(NamedTuple):
    """A rectangle in pixels, by two corners."""

    left: float
    bottom: float
    right: float
    top: float


def place_labels(
    places: npt.NDArray[np.floating],
    sizes: npt.NDArray[np.floating],
    points: npt.NDArray[np.floating],
    owners: npt.NDArray[np.integer],
    canvas: Box,
) -> list[Box | None]:
    """Place labels greedily, the first ones best.

    Each takes, among the positions on rings around its place that are free and on the canvas, the one that covers
    the fewest points and stands off the least.

    Parameters
    ----------
    places
        Where the labels belong, px, shape (k, 2); the most important first.
    sizes
        Their widths and heights, px, shape (k, 2).
    points
        What they should not cover, px, shape (n, 2).
    owners
        Label of each point, shape (n,), -1 for a point of none. A label would rather cover some of many points than
        hide its few.
    canvas
        Where they may stand.

    Returns
    -------
    list of Box or None
        Boxes that do not overlap; None where no free position is near.

    Examples
    --------
    >>> size, nothing = np.array([[20.0, 10.0]]), np.zeros((0, 2))
    >>> place_labels(np.array([[50.0, 50.0]]), size, nothing, np.zeros(0, int), Box(0, 0, 100, 100))
    [Box(left=40.0, bottom=45.0, right=60.0, top=55.0)]
    """
    covered = _Filled(points, canvas)
    taken = np.zeros((0, 4))
    found: list[Box | None] = []
    for label, (place, size) in enumerate(zip(places, sizes, strict=True)):
        centres, distances = _candidates(place, size)
        boxes = np.hstack([centres - size / 2, centres + size / 2])
        free = (boxes[:, :2] >= canvas[:2]).all(axis=1) & (boxes[:, 2:] <= canvas[2:]).all(axis=1)
        free &= _apart(boxes, taken)
        if not free.any():
            found.append(None)
            continue
        most = max(min(covered.n(points[owners == label]), size.prod() / CELL**2), 1)
        cost = np.where(free, distances / FAR + WEIGHT * covered.below(boxes) / most, np.inf)
        best = boxes[np.argmin(cost)]
        taken = np.vstack([taken, best])
        found.append(Box(*map(float, best)))
    return found


def _apart(boxes: npt.NDArray[np.floating], taken: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Whether each box overlaps none of those that are taken."""
    beside = (boxes[:, None, :2] >= taken[None, :, 2:]) | (boxes[:, None, 2:] <= taken[None, :, :2])
    apart: npt.NDArray[np.bool_] = np.all(np.any(beside, axis=2), axis=1)
    return apart


def _candidates(
    place: npt.NDArray[np.floating], size: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Centres of the positions to try, and how far each stands off: the place itself, then ellipses around it."""
    radii = np.repeat(np.arange(1, RINGS + 1), SPOKES) * 0.5 * size[1]
    angles = np.tile(np.linspace(0, 2 * np.pi, SPOKES, endpoint=False), RINGS)
    steps = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    sideways = np.column_stack([np.cos(angles) * size[0] / 2, np.zeros(len(angles))])  # half its width aside
    offsets = np.vstack([np.zeros((1, 2)), steps, steps + sideways])
    return place + offsets, np.concatenate([[0.0], radii, radii])


class _Filled:
    """Cells of the canvas that hold a point, counted by a summed-area table."""

    def __init__(self, points: npt.NDArray[np.floating], canvas: Box) -> None:
        width, height = canvas.right - canvas.left, canvas.top - canvas.bottom
        self._shape = np.array([max(int(np.ceil(side / CELL)), 1) for side in (width, height)])
        self._corner = np.array(canvas[:2])
        filled = np.zeros(self._shape)
        filled[tuple(self._inside(points).T)] = 1
        self._sums = np.zeros(self._shape + 1)
        self._sums[1:, 1:] = filled.cumsum(axis=0).cumsum(axis=1)

    def _cells(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        cells: npt.NDArray[np.intp] = np.floor((points - self._corner) / CELL).astype(np.intp)
        return cells

    def _inside(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        cells = self._cells(points)
        inside: npt.NDArray[np.intp] = cells[((cells >= 0) & (cells < self._shape)).all(axis=1)]
        return inside

    def n(self, points: npt.NDArray[np.floating]) -> int:
        """Number of cells that some points fill."""
        return len(np.unique(self._inside(points), axis=0))

    def below(self, boxes: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Number of filled cells that each box covers."""
        low = np.clip(self._cells(boxes[:, :2]), 0, self._shape)
        high = np.clip(self._cells(boxes[:, 2:]) + 1, 0, self._shape)
        (left, bottom), (right, top) = low.T, high.T
        sums = self._sums
        n: npt.NDArray[np.float64] = (
            sums[right, top] - sums[left, top] - sums[right, bottom] + sums[left, bottom]
        )
        return n
