"""Which earlier states are kept, and which of them are still there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from concept_lib.database.history import committed_histories, load_history
from concept_lib.database.state import DATABASE, MODEL
from concept_lib.settings import Settings
from concept_lib.storage import Home, StoredAsset

KEEP_REFRESHES = 20


@dataclass(frozen=True, slots=True)
class State:
    """What one refresh published.

    Parameters
    ----------
    refresh
        Its row of ``refreshes``.
    inputs
        Version of each external input that it was made from.
    data_versions
        ``{asset: {"fingerprint", "data_version"}}``, without the database.
    """

    refresh: Mapping[str, Any]
    inputs: Mapping[str, str]
    data_versions: Mapping[str, Mapping[str, str]]

    @property
    def refresh_id(self) -> int:
        """Number of that refresh."""
        return int(self.refresh["refresh_id"])

    @property
    def model(self) -> str | None:
        """Fingerprint of the encoder of its images."""
        return self.inputs.get(MODEL)

    @property
    def settings(self) -> Settings:
        """Settings in force then."""
        return Settings.model_validate_json(self.refresh["settings"])

    def stored(self, home: Home) -> dict[str, StoredAsset | None]:
        """What its assets stored; None where it is gone."""
        return {
            name: home.load_asset(name, entry["data_version"]) for name, entry in self.data_versions.items()
        }

    def is_stored(self, home: Home) -> bool:
        """Whether all its files are there; whether they are whole is another, longer question."""
        return all(stored is not None and stored.is_there() for stored in self.stored(home).values())

    def is_whole(self, home: Home) -> bool:
        """Whether all its files are there, each as it was written."""
        return all(stored is not None and stored.is_whole() for stored in self.stored(home).values())


def states(home: Home) -> list[State]:
    """Every published state, oldest first; damaged histories are left out."""
    rows = load_history(committed_histories(home.histories)[0])["refreshes"].to_pylist()
    return [state_of(row) for row in rows]


def kept_states(home: Home) -> list[State]:
    """The last twenty states and the one that fitted what stands, oldest first."""
    return kept_of(states(home))


def kept_of(found: Sequence[State]) -> list[State]:
    """Those of all states, oldest first, that are kept."""
    fit = {state.refresh["fit_refresh_id"] for state in found[-1:]}
    older = [state for state in found[:-KEEP_REFRESHES] if state.refresh_id in fit]
    return [*older, *found[-KEEP_REFRESHES:]]


def asset_versions(kept: Iterable[State]) -> dict[str, set[str]]:
    """Data versions of some states, by asset."""
    found: dict[str, set[str]] = {}
    for state in kept:
        for name, entry in state.data_versions.items():
            found.setdefault(name, set()).add(entry["data_version"])
    return found


def state_of(row: Mapping[str, Any]) -> State:
    """State of a row of ``refreshes``."""
    versions = json.loads(row["data_versions"])
    assets = {name: entry for name, entry in versions["assets"].items() if name != DATABASE}
    return State(row, versions["inputs"], assets)
