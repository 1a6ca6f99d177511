"""Asset checks on the published database: what is wrong there is said, and stops what comes after."""

import dagster as dg

from concept_assets.assets.images import images
from concept_assets.assets.published import concept_database
from concept_assets.resources import StorageResource
from concept_assets.versioning import current
from concept_lib.database.integrity import dangling_references


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


CHECKS = [references_hold, every_file_is_accounted_for]
