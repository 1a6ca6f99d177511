"""Colours that tell neighbouring concepts apart, for people with any colour vision."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7"),
    *("#332288", "#999933", "#882255", "#44aa99", "#8c564b", "#7f3fbf"),
)
"""Of Okabe and Ito (2008) and of Tol (2021), those that stand out from white paper, and two more."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)


def concept_colours(places: npt.NDArray[np.floating]) -> list[str]:
    """Choose a colour for each concept, unlike those of the concepts beside it on the map.

    Each in turn takes the colour whose likeness to the colours around, weighted by nearness, is least. Likeness is
    that to the eye, with and without the perception of green.

    Parameters
    ----------
    places
        Where the concepts lie, shape (k, 2), those that come first on choosing foremost.

    Returns
    -------
    list of str
        One of `COLOURS` each.

    References
    ----------
    M. Okabe, K. Ito (2008). Color Universal Design. P. Tol (2021). Colour Schemes.
    B. Ottosson (2020). A perceptual color space for image processing. G. Machado, M. Oliveira, L. Fernandes (2009).
    A Physiologically-based Model for Simulation of Color Vision Deficiency.

    Examples
    --------
    >>> len(set(concept_colours(np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]]))))
    3
    """
    likeness = 1 / (_differences() + 0.05)
    extent = float(np.ptp(places, axis=0).max(initial=0.0)) if len(places) else 0.0
    chosen: list[int] = []
    for row, place in enumerate(places):
        squares = ((places[:row] - place) ** 2).sum(axis=1)
        nearness = 1 / (squares + (0.02 * extent) ** 2 + 1e-12)
        cost = nearness @ likeness[chosen] if row else np.arange(len(COLOURS), dtype=float)
        if row < len(COLOURS):
            cost[chosen] = np.inf  # none comes again before all were used
        chosen.append(int(np.argmin(cost)))
    return [COLOURS[number] for number in chosen]


def _differences() -> npt.NDArray[np.float64]:
    """Least difference of each pair of colours to either kind of eye, (c, c)."""
    bytes_ = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in COLOURS]) / 255
    linear = np.where(bytes_ <= 0.04045, bytes_ / 12.92, ((bytes_ + 0.055) / 1.055) ** 2.4)
    seen = [
        np.cbrt(rgb @ _TO_LMS.T) @ _TO_OKLAB.T for rgb in (linear, np.clip(linear @ _DEUTERANOPIA.T, 0, 1))
    ]
    pairs = [np.linalg.norm(lab[:, None] - lab[None], axis=2) for lab in seen]
    least: npt.NDArray[np.float64] = np.minimum(*pairs)
    return least
