"""Asset checks: what is wrong is said, stops what comes after where it must, and warns where it may be meant."""

import dagster as dg

from concept_assets.assets.concepts import clusters
from concept_assets.assets.images import images
from concept_assets.assets.published import concept_database
from concept_assets.progress import listener
from concept_assets.resources import StorageResource
from concept_assets.versioning import current
from concept_lib.database.integrity import dangling_references
from concept_lib.database.queries import last_refresh

MAX_FAILED = 0.05  # share of the files; a collection has its broken ones, a failing disk has many
MAX_OUTLIERS = 0.5  # share of the images; beyond it most of the collection is in no concept
MAX_DRIFT = 0.1  # mean of 1 - cosine; a refit over a fifth more images moves the gallery's concepts by .004


@dg.asset_check(asset=concept_database, blocking=True)
def references_hold(storage: StorageResource) -> dg.AssetCheckResult:
    """Every reference between the published tables finds its row."""
    dangling = dangling_references(storage.session.home.database)
    return dg.AssetCheckResult(passed=not dangling, metadata={"dangling": dangling})


@dg.asset_check(asset=images, blocking=True)
def every_file_is_accounted_for(storage: StorageResource) -> dg.AssetCheckResult:
    """Every picture file of the folder has one row, and one that cannot be used says why."""
    session = storage.session
    files = current(session.home, "images").table("files").to_pylist()
    found = {record.path_bytes for record in session.inputs.catalog.files}
    told = [row["path_bytes"] for row in files if (row["status"] == "usable") == (row["reason"] is None)]
    return dg.AssetCheckResult(
        passed=sorted(told) == sorted(found), metadata={"files": len(found), "rows": len(files)}
    )


@dg.asset_check(asset=images)
def few_files_failed(storage: StorageResource) -> dg.AssetCheckResult:
    """At most one file in twenty cannot be used; ``problem_files`` says why each one cannot."""
    statuses = current(storage.session.home, "images").table("files")["status"].to_pylist()
    return _warning("share of failed files", _share(statuses.count("failed"), len(statuses)), MAX_FAILED)


@dg.asset_check(asset=clusters)
def few_outliers(storage: StorageResource) -> dg.AssetCheckResult:
    """At most half of the images belong to no concept."""
    members = current(storage.session.home, "clusters").table("members")["concept_id"].to_pylist()
    return _warning("share of outliers", _share(members.count(-1), len(members)), MAX_OUTLIERS)


@dg.asset_check(asset=concept_database)
def little_drift(storage: StorageResource) -> dg.AssetCheckResult:
    """The vectors of the concepts stayed about where they were in the refresh before."""
    refresh = last_refresh(storage.session.home.database) or {"metrics": {}}
    return _warning("mean drift of the concepts", refresh["metrics"].get("mean_drift", 0.0), MAX_DRIFT)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _warning(what: str, value: float, limit: float) -> dg.AssetCheckResult:
    """Pass up to the limit; beyond it warn, on the command line too."""
    passed = value <= limit
    if not passed and (audience := listener()) is not None:
        audience.warned(f"{what}: {value:.2f}, above {limit:g}")
    return dg.AssetCheckResult(
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"value": value, "limit": limit},
        description=f"{what}: {value:.3f} (at most {limit:g})",
    )


CHECKS = [references_hold, every_file_is_accounted_for, few_files_failed, few_outliers, little_drift]
