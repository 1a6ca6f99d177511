"""When the standing fit no longer serves."""

from __future__ import annotations

from typing import Literal, NamedTuple

Refit = Literal["auto", "always", "never"]


class Change(NamedTuple):
    """What came and went since a fit, in images.

    Attributes
    ----------
    n_fit
        So many were there at the fit, whether it learnt from them or placed them.
    n_added, n_removed
        Since then; one that left and came back counts as added.
    n_strays
        Outliers among those that were added.
    """

    n_fit: int
    n_added: int
    n_removed: int
    n_strays: int


def refit_reason(
    change: Change,
    *,
    refit: Refit = "auto",
    refit_after: float = 0.1,
    refit_outliers: float = 0.5,
    min_concept_size: int = 2,
) -> str | None:
    """Why UMAP and HDBSCAN must learn anew; None where the standing fit serves.

    Parameters
    ----------
    change
        Since the standing fit.
    refit
        ``"always"`` and ``"never"`` say it outright.
    refit_after
        How far the images of now may be from those of the fit, by Jaccard distance: the share of all images of either
        that came or went.
    refit_outliers
        Share of the added images that may be outliers; fewer outliers than a concept needs never count.
    min_concept_size
        Images of the least concept.

    Examples
    --------
    >>> refit_reason(Change(n_fit=100, n_added=10, n_removed=0, n_strays=0)) is None
    True
    >>> refit_reason(Change(n_fit=100, n_added=8, n_removed=4, n_strays=0))
    '11 % of the images came or went since the fit'
    >>> refit_reason(Change(n_fit=1000, n_added=20, n_removed=0, n_strays=12), min_concept_size=12)
    '60 % of the images added since the fit belong to no concept'
    """
    if refit == "never":
        return None
    if refit == "always":
        return "every change of the images is fitted"
    turnover, either = change.n_added + change.n_removed, change.n_fit + change.n_added
    if turnover > refit_after * either:
        return f"{100 * turnover / either:.0f} % of the images came or went since the fit"
    if change.n_strays >= min_concept_size and change.n_strays > refit_outliers * change.n_added:
        share = 100 * change.n_strays / change.n_added
        return f"{share:.0f} % of the images added since the fit belong to no concept"
    return None
