"""A map that people find their way in again: it starts from the one before and is laid over it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MIN_SURVIVORS = 5
"""Fewer images of the standing map than this pin no layout down."""
MIN_SHARE = 0.5
"""Below this share of survivors UMAP's own start, which sees all images, is the better one."""
NOISE = 1e-3
"""Standard deviation of the noise in a start, as a share of the map's extent: equal starts come apart."""


def starting_layout(
    standing: npt.NDArray[np.float64], neighbors: npt.NDArray[np.integer], seed: int = 42
) -> npt.NDArray[np.float32] | None:
    """Start of a new layout from the standing one.

    Images that were there start where they stood. A new one starts at the mean of its nearest neighbours that are
    placed already, those of the standing map before all others; one that no chain of neighbours joins to the map
    starts anywhere in its bounds. All get a little noise.

    Parameters
    ----------
    standing
        Shape (n, c); NaN rows for new images.
    neighbors
        Nearest rows of each row, shape (n, k); itself may be among them.
    seed
        Seed of the noise.

    Returns
    -------
    ndarray of float32, shape (n, c), or None
        None where too little of the standing map is left, or it has no extent.

    Examples
    --------
    >>> standing = np.array([[0, 0], [9, 0], [0, 9], [9, 9], [5, 5], [np.nan, np.nan]])
    >>> nearest = np.array([[0, 1], [1, 0], [2, 0], [3, 1], [4, 0], [5, 3]])
    >>> starting_layout(standing, nearest).round().tolist()[-2:]
    [[5.0, 5.0], [9.0, 9.0]]
    """
    placed = np.asarray(np.isfinite(standing).all(axis=1))
    if placed.sum() < max(MIN_SURVIVORS, MIN_SHARE * len(standing)):
        return None
    low, high = standing[placed].min(axis=0), standing[placed].max(axis=0)
    if not (high > low).all():
        return None
    start = np.where(placed[:, None], standing, 0.0)
    while not placed.all():
        near = placed[neighbors] & ~placed[:, None]
        reached = near.any(axis=1)
        if not reached.any():
            break
        weights = near[reached] / near[reached].sum(axis=1, keepdims=True)
        start[reached] = np.einsum("nk,nkc->nc", weights, start[neighbors[reached]])
        placed |= reached
    rng = np.random.default_rng(seed)
    start[~placed] = rng.uniform(low, high, (np.count_nonzero(~placed), start.shape[1]))
    return (start + rng.normal(0.0, NOISE * (high - low), start.shape)).astype(np.float32)


def aligned(layout: npt.NDArray[np.float32], standing: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Lay a layout over the standing one: moved, turned, mirrored and scaled so that survivors lie where they lay.

    Scaled by the ratio of the survivors' spreads and not by least squares: that factor falls with every change, and
    the map would shrink from refit to refit.

    Parameters
    ----------
    layout
        Shape (n, c).
    standing
        Shape (n, c); NaN rows for new images.

    Returns
    -------
    ndarray of float32, shape (n, c)
        The layout as it is where fewer than five survivors, or none with an extent, pin it down.

    References
    ----------
    P. Schönemann (1966). A generalized solution of the orthogonal Procrustes problem. Psychometrika 31.

    Examples
    --------
    >>> standing = np.array([[0, 0], [4, 0], [4, 2], [0, 2], [2, 1], [np.nan, np.nan]])
    >>> turned = np.array([[0, 0], [0, 2], [-1, 2], [-1, 0], [-0.5, 1], [0, 4]], dtype=np.float32)
    >>> aligned(turned, standing).round(6).tolist()[1:]
    [[4.0, 0.0], [4.0, 2.0], [0.0, 2.0], [2.0, 1.0], [8.0, 0.0]]
    """
    survivors = np.isfinite(standing).all(axis=1)
    if survivors.sum() < MIN_SURVIVORS:
        return layout
    from scipy.linalg import orthogonal_procrustes

    ours, theirs = layout[survivors].astype(np.float64), standing[survivors]
    our_centre, their_centre = ours.mean(axis=0), theirs.mean(axis=0)
    ours, theirs = ours - our_centre, theirs - their_centre
    our_spread, their_spread = np.linalg.norm(ours), np.linalg.norm(theirs)
    if not our_spread or not their_spread:
        return layout
    turn, _ = orthogonal_procrustes(ours, theirs)
    return np.asarray((layout - our_centre) @ turn * (their_spread / our_spread) + their_centre, np.float32)
