"""Puts the parts together: assets, checks, resources, and what starts a refresh."""

from __future__ import annotations

import dagster as dg

from concept_assets import inputs
from concept_assets.automation import hourly_refresh, nightly_verify, refresh_job, watch
from concept_assets.checks import CHECKS
from concept_assets.experiment import experiment_job
from concept_assets.graph import ASSETS
from concept_assets.resources import EncoderResource, StorageResource

defs = dg.Definitions(
    assets=[*inputs.SPECS, *ASSETS],
    asset_checks=CHECKS,
    jobs=[refresh_job, experiment_job],
    sensors=[watch],
    schedules=[hourly_refresh, nightly_verify],
    resources={
        "storage": StorageResource(),
        "encoder": EncoderResource(),
    },
    # Steps share one process: the encoder is loaded once, and heavy imports are paid once.
    executor=dg.in_process_executor,
)
