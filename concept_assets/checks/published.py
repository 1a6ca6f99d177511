"""Checks of the published state; what must not be published at all is proved before, and on the assets."""

import dagster as dg

from concept_assets.assets.published import concept_database
from concept_assets.checks.verdict import warning
from concept_assets.resources import StorageResource
from concept_lib.database.integrity import REFERENCES, dangling_references
from concept_lib.database.queries import last_refresh

MAX_DRIFT = 0.1  # mean of 1 - cosine; a refit over a fifth more images moves the gallery's concepts by .004


@dg.asset_check(asset=concept_database, blocking=True)
def references_hold(storage: StorageResource) -> dg.AssetCheckResult:
    """Every reference between the published tables finds its row, and the counts of one table are those of another.

    A new state that breaks one of these rules is never put in place; here the published file itself is proved, also
    where it stands unchanged.
    """
    dangling = dangling_references(storage.session.home.database)
    found = ", ".join(f"{rule}: {count:,}" for rule, count in dangling.items())
    return dg.AssetCheckResult(
        passed=not dangling,
        metadata={"rules": len(REFERENCES), "dangling": dangling},
        description=f"{found}; run: concept rebuild" if dangling else f"all of {len(REFERENCES)} rules hold",
    )


@dg.asset_check(asset=concept_database)
def little_drift(storage: StorageResource) -> dg.AssetCheckResult:
    """The vectors of the concepts stayed about where they were in the refresh before."""
    refresh = last_refresh(storage.session.home.database) or {"metrics": {}}
    return warning(
        "mean drift of the concepts",
        refresh["metrics"].get("mean_drift", 0.0),
        MAX_DRIFT,
        "see which drifted: SELECT label, drift FROM concept_summary ORDER BY drift DESC",
    )


CHECKS = [references_hold, little_drift]
