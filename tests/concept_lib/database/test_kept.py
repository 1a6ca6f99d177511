"""Which states are kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import pyarrow as pa
import pytest

from concept_lib.database.kept import KEEP_REFRESHES, State, asset_versions, kept_of, state_of


@pytest.fixture
def state(refresh_row: Callable[..., pa.Table]) -> Callable[..., State]:
    """State of a refresh under some fit, with one asset of its own and one that never changes."""

    def make(refresh_id: int, fit_refresh_id: int) -> State:
        entries = {"clusters": f"c{refresh_id}", "vocabulary": "v", "concept_database": f"d{refresh_id}"}
        versions = {
            "assets": {name: {"fingerprint": "f", "data_version": value} for name, value in entries.items()},
            "inputs": {"model": "m"},
        }
        changes = {"fit_refresh_id": fit_refresh_id, "data_versions": json.dumps(versions)}
        return state_of(refresh_row(refresh_id, **changes).to_pylist()[0])

    return make


@pytest.mark.parametrize("fit", [1, 3, 30])
def test_the_last_states_and_the_standing_fit_are_kept(state: Callable[..., State], fit: int) -> None:
    found = [state(number, fit if number >= fit else number) for number in range(1, 31)]
    numbers = [kept.refresh_id for kept in kept_of(found)]
    last = list(range(31 - KEEP_REFRESHES, 31))
    assert numbers == ([fit, *last] if fit < last[0] else last)


def test_few_states_are_all_kept(state: Callable[..., State]) -> None:
    found = [state(1, 1), state(2, 1)]
    assert kept_of(found) == found
    assert kept_of([]) == []
    assert found[0].model == "m"
    assert asset_versions(found) == {"clusters": {"c1", "c2"}, "vocabulary": {"v"}}
