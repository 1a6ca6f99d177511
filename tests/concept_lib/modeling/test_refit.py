"""When a fit is due."""

from __future__ import annotations

import pytest

from concept_lib.modeling.refit import Change, refit_reason


@pytest.mark.parametrize(
    ("change", "due"),
    [
        (Change(900, 100, 0, 0), None),
        (Change(899, 101, 0, 0), "10 % of the images came or went"),
        (Change(1000, 0, 100, 0), None),
        (Change(1000, 60, 47, 0), "10 % of the images came or went"),
        (Change(1000, 20, 0, 11), None),
        (Change(1000, 20, 0, 12), "60 % of the images added"),
        (Change(1000, 40, 0, 20), None),
        (Change(0, 1, 0, 0), "100 % of the images"),
        (Change(0, 0, 0, 0), None),
    ],
)
def test_auto_counts_what_came_and_went_and_the_strays_among_it(change: Change, due: str | None) -> None:
    found = refit_reason(change, min_concept_size=12)
    assert found is None if due is None else str(found).startswith(due)


def test_always_and_never_say_it_outright() -> None:
    assert refit_reason(Change(1000, 0, 0, 0), refit="always")
    assert refit_reason(Change(10, 990, 5, 900), refit="never") is None


def test_the_bounds_are_settings() -> None:
    assert refit_reason(Change(1000, 100, 0, 0), refit_after=0.05)
    assert refit_reason(Change(1000, 20, 0, 12), refit_outliers=0.8) is None
