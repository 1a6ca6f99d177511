"""Fingerprints, content-hash data versions, and reuse of what did not change.

An asset's fingerprint hashes its code version, the versions of the external inputs that it reads, and the
data versions of the assets that it reads. Equal to the published one, and its files whole: reused.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import dagster as dg

from concept_assets.progress import listener, warn
from concept_lib.errors import ConceptError
from concept_lib.storage import Contents, Home, StoredAsset, canonical_json, write_file

Upstream: TypeAlias = Mapping[str, StoredAsset]
Compute: TypeAlias = Callable[[Upstream], Contents]
Metadata: TypeAlias = Callable[[StoredAsset], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Staged:
    """What an asset last made, published or not."""

    data_version: str
    fingerprint: str
    inputs: Mapping[str, str]
    run_id: str
    seconds: float
    counts: Mapping[str, int]  # facts of that run alone, such as how many images it embedded


def fingerprint(asset: dg.AssetsDefinition, versions: Mapping[str, str]) -> str:
    """Hash of all that an asset's content depends on.

    Parameters
    ----------
    asset
        Definition of one asset; its code version and its dependencies count.
    versions
        At least the version of each dependency, by name.
    """
    inputs = {name: versions[name] for name in dependencies(asset)}
    code = asset.code_versions_by_key[asset.key]
    return hashlib.sha256(canonical_json([code, inputs])).hexdigest()[:32]


def dependencies(asset: dg.AssetsDefinition) -> list[str]:
    """Names of the inputs and assets that an asset reads."""
    return sorted(key.to_user_string() for key in asset.asset_deps[asset.key])


def stage(home: Home, asset: str, made: Staged) -> None:
    """Record what an asset just made; it counts only once it is published."""
    values = {name: getattr(made, name) for name in Staged.__slots__}
    write_file(home.asset_folder(asset) / "current.json", canonical_json(values))


def staged(home: Home, asset: str) -> Staged | None:
    """What an asset last made; None where there is nothing, or its record is damaged."""
    try:
        return Staged(**json.loads((home.asset_folder(asset) / "current.json").read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def current(home: Home, asset: str) -> StoredAsset:
    """Open what an asset last made.

    Raises
    ------
    ConceptError
        When it was never made, or its files are gone.
    """
    made = staged(home, asset)
    stored = home.load_asset(asset, made.data_version) if made else None
    if stored is None:
        raise ConceptError(f"{asset} is not there yet; materialize it first, or run: concept refresh")
    return stored


def reuse_or_compute(
    context: dg.AssetExecutionContext,
    home: Home,
    versions: Mapping[str, str],
    published: Mapping[str, Mapping[str, str]],
    compute: Compute,
    metadata: Metadata,
    is_usable: Callable[[StoredAsset], bool] = StoredAsset.is_whole,
    *,
    restoring: bool = False,
) -> dg.MaterializeResult[None]:
    """Reuse what is published, or compute and store anew.

    Parameters
    ----------
    context
        Dagster's context of this asset.
    home
        Where assets are stored.
    versions
        Version of each external input.
    published
        ``{asset: {"fingerprint", "data_version"}}`` of the published state.
    compute
        Makes the contents from the assets that this one reads.
    metadata
        Makes what Dagster shows of a stored version.
    is_usable
        Whether a stored version may be used again; by default when all its files are whole.
    restoring
        Whether `published` is an earlier state that comes back whatever its fingerprints say.
    """
    asset = context.asset_key.to_user_string()
    started = time.monotonic()
    if (audience := listener()) is not None:
        audience.started(asset)
    upstream = {
        name: current(home, name) for name in dependencies(context.assets_def) if name not in versions
    }
    inputs = {**versions, **{name: stored.data_version for name, stored in upstream.items()}}
    entry = published.get(asset)
    mark = entry["fingerprint"] if restoring and entry else fingerprint(context.assets_def, inputs)
    stored = _published(context, home, entry, mark, is_usable)
    reused, counts = stored is not None, dict[str, int]()
    if stored is None:
        contents = compute(upstream)
        stored, counts = home.save_asset(asset, contents), dict(contents.counts)
    seconds = time.monotonic() - started
    read = {name: inputs[name] for name in dependencies(context.assets_def)}
    stage(home, asset, Staged(stored.data_version, mark, read, context.run.run_id, seconds, counts))
    if audience is not None:
        audience.ended(asset, reused=reused)
    folder = dg.MetadataValue.path(str(stored.folder))
    about: dict[str, Any] = {"seconds": round(seconds, 3), "reused": reused, "folder": folder}
    return dg.MaterializeResult(
        data_version=dg.DataVersion(stored.data_version), metadata={**metadata(stored), **counts, **about}
    )


def _published(
    context: dg.AssetExecutionContext,
    home: Home,
    entry: Mapping[str, str] | None,
    mark: str,
    is_usable: Callable[[StoredAsset], bool],
) -> StoredAsset | None:
    """The published version where it may be used again; a damaged one is told and computed anew."""
    if entry is None or entry["fingerprint"] != mark:
        return None
    stored = home.load_asset(context.asset_key.to_user_string(), entry["data_version"])
    if stored is None or not is_usable(stored):
        warn(
            context,
            f"{context.asset_key.to_user_string()}: stored files are missing or damaged; making them anew",
        )
        return None
    return stored
