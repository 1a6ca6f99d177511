"""What starts a refresh: a sensor that watches, two schedules, and whoever starts the job by hand."""

from __future__ import annotations

import os
import time

import dagster as dg

from concept_assets.inputs import key
from concept_assets.resources import home_of_dagster
from concept_assets.watch import Memory, decide, pause

REFRESH_JOB = "refresh"
WATCH_SECONDS = int(os.environ.get("CONCEPT_WATCH_SECONDS", "30"))

refresh_job = dg.define_asset_job(
    REFRESH_JOB,
    selection=dg.AssetSelection.all(),
    description="Look at the folder, the vocabulary and the settings; compute what changed; publish. It runs as it "
    "is; the launchpad's configuration under resources / storage can change settings, read every file again, accept "
    "a loss or bring an earlier state back.",
    # A run whose process died is tried again from its start: what it made is reused.
    tags={"dagster/retry_strategy": "ALL_STEPS"},
)


@dg.sensor(
    job=refresh_job,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=WATCH_SECONDS,
    description="Starts one run of what the folder, the vocabulary and the settings made stale, once they are quiet.",
)
def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Request a run of exactly what lies downstream of a change; else say why not."""
    found = decide(context.instance, home_of_dagster(), Memory.read(context.cursor), time.time())
    # Without a run_key: a key is never run twice, and a folder may return to an earlier state.
    runs = [dg.RunRequest(asset_selection=[key(name) for name in found.assets])] if found.assets else []
    return dg.SensorResult(
        run_requests=runs,
        skip_reason=found.reason,
        asset_events=list(found.events),
        cursor=found.memory.write(),
    )


@dg.schedule(
    job=refresh_job,
    cron_schedule="0 * * * *",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="A refresh at every full hour, for folders that the sensor cannot watch; off by default.",
)
def hourly_refresh() -> dg.RunRequest | dg.SkipReason:
    """Run the whole graph; what did not change is reused."""
    reason = pause(home_of_dagster())
    return dg.SkipReason(reason) if reason else dg.RunRequest()


@dg.schedule(
    job=refresh_job,
    cron_schedule="0 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads every file again at 03:00 UTC and materializes the whole graph.",
)
def nightly_verify() -> dg.RunRequest | dg.SkipReason:
    """Run the whole graph over contents that are hashed anew: the database stays fresh while nothing changes."""
    reason = pause(home_of_dagster())
    if reason:
        return dg.SkipReason(reason)
    return dg.RunRequest(run_config={"resources": {"storage": {"config": {"verify": True}}}})
