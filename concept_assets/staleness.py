"""What a refresh would have to do: the command line and the sensor ask the same question here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg

from concept_assets.assets.images import has_thumbnails
from concept_assets.graph import ASSETS
from concept_assets.publication import database_fingerprint
from concept_assets.versioning import dependencies, fingerprint, staged
from concept_lib.database.state import DATABASE
from concept_lib.storage import Home

Entries = Mapping[str, Mapping[str, str]]


def stale_assets(home: Home, published: Entries, versions: Mapping[str, str]) -> list[str]:
    """Assets that the published state no longer answers for, and all that lies downstream of them.

    Parameters
    ----------
    home
        Without its database, that is stale too.
    published
        ``{asset: {"fingerprint", "data_version"}}`` of the published state.
    versions
        Version of each external input now.

    Returns
    -------
    list of str
        In the order of the graph.
    """
    known = {**versions, **{name: entry["data_version"] for name, entry in published.items()}}
    stale: list[str] = []
    for name, asset in _graph():
        if name not in published or not set(stale).isdisjoint(dependencies(asset)):
            stale.append(name)
        elif name == DATABASE:
            mark = database_fingerprint(asset, versions, published)
            if published[name]["fingerprint"] != mark or not home.database.is_file():
                stale.append(name)
        elif published[name]["fingerprint"] != fingerprint(asset, known):
            stale.append(name)
    return stale


def damaged_assets(home: Home, published: Entries) -> list[str]:
    """Assets of which a published file is missing or damaged."""
    damaged = []
    for name, _ in _graph():
        if name == DATABASE or name not in published:
            continue
        stored = home.load_asset(name, published[name]["data_version"])
        if stored is None or not stored.is_whole() or (name == "images" and not has_thumbnails(home, stored)):
            damaged.append(name)
    return damaged


def selection(home: Home, published: Entries, stale: list[str]) -> list[str]:
    """Assets that one run has to select so that what it publishes fits together.

    Beside the stale ones these are assets that a failed or a lone run made otherwise than they are published,
    and damaged ones: those return to what is published before anything is made from them.

    Parameters
    ----------
    stale
        What `stale_assets` found.

    Returns
    -------
    list of str
        In the order of the graph; empty where nothing is stale.
    """
    if not stale:
        return []
    astray = {name for name, entry in published.items() if not _is_staged(home, name, entry)}
    wanted = astray.union(stale, damaged_assets(home, published))
    return [name for name, _ in _graph() if name in wanted]


def _is_staged(home: Home, name: str, entry: Mapping[str, str]) -> bool:
    made = staged(home, name)
    return made is not None and (made.fingerprint, made.data_version) == (
        entry["fingerprint"],
        entry["data_version"],
    )


def _graph() -> Iterator[tuple[str, dg.AssetsDefinition]]:
    """The assets by name, each after those that it reads."""
    for asset in ASSETS:
        yield asset.key.to_user_string(), asset
