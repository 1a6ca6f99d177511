"""What starts a refresh."""

from __future__ import annotations

import dagster as dg

REFRESH_JOB = "refresh"

refresh_job = dg.define_asset_job(
    REFRESH_JOB,
    selection=dg.AssetSelection.all(),
    description="Look at the folder, the vocabulary and the settings; compute what changed; publish.",
)
