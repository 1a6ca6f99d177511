"""Whether a published refresh is good enough to be served: by the asset checks' own limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from concept_assets.checks import concepts, images, published
from concept_assets.checks.verdict import share
from concept_lib.database.integrity import dangling_references
from concept_lib.storage import Home


def failed_checks(home: Home, refresh: Mapping[str, Any]) -> list[str]:
    """Checks that the published refresh fails, with what was found; those that block stopped it before.

    Parameters
    ----------
    refresh
        As `concept_lib.database.queries.last_refresh` gives it.
    """
    metrics = refresh["metrics"]
    measured = [
        (images.few_files_failed, share(metrics["failed"], metrics["files"]), images.MAX_FAILED),
        (concepts.few_outliers, share(metrics["outliers"], metrics["images"]), concepts.MAX_OUTLIERS),
        (published.little_drift, metrics.get("mean_drift", 0.0), published.MAX_DRIFT),
    ]
    failed = [
        f"{check.check_key.name} ({value:.3f}, at most {limit:g})"
        for check, value, limit in measured
        if value > limit
    ]
    dangling = dangling_references(home.database)
    if dangling:
        failed.append(f"{published.references_hold.check_key.name} ({', '.join(dangling)})")
    return failed
