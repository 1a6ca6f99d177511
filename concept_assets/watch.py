"""What the watching sensor decides at each tick, as plain functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES

from concept_assets.inputs import find_inputs, image_folder, new_versions
from concept_assets.staleness import selection, stale_assets
from concept_lib.database.publish import remove_stale_logs
from concept_lib.database.state import published_state
from concept_lib.disk import require_room
from concept_lib.errors import ConceptError
from concept_lib.images.walk import folder_stamp
from concept_lib.lock import is_held, locked
from concept_lib.settings import Settings
from concept_lib.settings_sources import resolve
from concept_lib.storage import Home, canonical_json

WAITS = (60.0, 300.0, 1800.0)  # seconds after the first, the second and each further failure in a row
LOOKED_BACK = 30  # runs
EXPERIMENT_JOB = "experiment"  # changes nothing that a refresh reads
SILENT_SECONDS = 300.0  # a run that neither holds the home nor has said anything for so long is dead
_PROCESS = uuid4().hex  # a new process may be new code, which looks at everything once


@dataclass(frozen=True, slots=True)
class Memory:
    """What one tick tells the next.

    Parameters
    ----------
    stamp
        Of all that a refresh would read.
    since
        When that stamp was first seen, in seconds since the epoch.
    settled
        Mark of the published state that agrees with that stamp; empty where none is known to.
    """

    stamp: str = ""
    since: float = 0.0
    settled: str = ""

    @classmethod
    def read(cls, cursor: str | None) -> Memory:
        """Read a cursor; an empty or a foreign one remembers nothing."""
        try:
            return cls(**json.loads(cursor or "{}"))
        except (ValueError, TypeError):
            return cls()

    def write(self) -> str:
        """The cursor that `read` reads."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Decision:
    """What a tick leads to: a run of `assets`, or a `reason` why there is none."""

    memory: Memory
    reason: str | None = None
    assets: Sequence[str] = ()
    events: Sequence[dg.AssetMaterialization] = field(default=())


def decide(instance: dg.DagsterInstance, home: Home, memory: Memory, now: float) -> Decision:
    """Look whether a refresh should start.

    Parameters
    ----------
    instance
        Where the runs of this home are recorded.
    home
        Held under its lock while this looks; a home that is held already is left alone.
    memory
        What the last tick left.
    now
        Seconds since the epoch.
    """
    try:
        with locked(home, "the watching sensor"):
            remove_stale_logs(home.database)
            require_room(home)
            if reason := pause(home) or in_progress(instance, home, now) or retry_wait(instance, now):
                return Decision(memory, reason)
            return _look(instance, home, memory, now)
    except ConceptError as error:
        return Decision(memory, str(error))


def pause(home: Home) -> str | None:
    """Why no refresh may start by itself, where somebody said so."""
    if not home.paused.is_file():
        return None
    return f"paused: {home.paused.read_text().strip()}; go on with: concept resume"


def in_progress(instance: dg.DagsterInstance, home: Home, now: float) -> str | None:
    """Which refresh is under way, if any; called under the lock on the home.

    A refresh works under that lock, so one that was killed is known by its silence: it is recorded as failed. So is an
    experiment, by its own lock, lest it keep its place in the queue; nothing else waits for one.
    """
    for record in instance.get_run_records(dg.RunsFilter(statuses=NOT_FINISHED_STATUSES)):
        run = record.dagster_run
        silent = (
            run.status != dg.DagsterRunStatus.QUEUED and now - _last_word(instance, record) > SILENT_SECONDS
        )
        aside = run.job_name == EXPERIMENT_JOB
        if silent and not (aside and is_held(home.experiment_lock)):
            instance.report_run_failed(run, "The process of this run is gone.")
        elif not aside:
            return f"run {run.run_id} is {run.status.value.lower()}"
    return None


def _last_word(instance: dg.DagsterInstance, record: dg.RunRecord) -> float:
    """When a run last said anything."""
    events = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False).records
    return max([record.create_timestamp.timestamp(), *(event.event_log_entry.timestamp for event in events)])


def retry_wait(instance: dg.DagsterInstance, now: float) -> str | None:
    """How long to wait after refreshes that failed or were cancelled, if at all."""
    found = instance.get_run_records(dg.RunsFilter(statuses=FINISHED_STATUSES), limit=LOOKED_BACK)
    ended = [record for record in found if record.dagster_run.job_name != EXPERIMENT_JOB]
    failed = list(takewhile(lambda record: record.dagster_run.status != dg.DagsterRunStatus.SUCCESS, ended))
    if not failed:
        return None
    wait = seconds_to_wait(len(failed), now - (failed[0].end_time or failed[0].update_timestamp.timestamp()))
    if wait <= 0:
        return None
    return f"run {failed[0].dagster_run.run_id} failed; the next try is in {wait:.0f} s"


def seconds_to_wait(n_failed: int, elapsed: float) -> float:
    """Seconds until the next try.

    Parameters
    ----------
    n_failed
        Failures since the last success, at least 1.
    elapsed
        Seconds since the last of them.

    Examples
    --------
    >>> [seconds_to_wait(n_failed, 45.0) for n_failed in (1, 2, 3, 9)]
    [15.0, 255.0, 1755.0, 1755.0]
    """
    return WAITS[min(n_failed, len(WAITS)) - 1] - elapsed


def _look(instance: dg.DagsterInstance, home: Home, memory: Memory, now: float) -> Decision:
    """Compare what lies outside with what is published, once it is quiet there."""
    settings = resolve(home).settings
    stamp = outside_stamp(home, settings)
    if stamp != memory.stamp:
        memory = Memory(stamp, now)
    quiet, least = now - memory.since, settings.images.quiet_seconds
    if quiet < least:
        return Decision(
            memory, f"something changed {quiet:.0f} s ago; a refresh starts after {least:g} quiet ones"
        )
    if memory.settled == _published_mark(home):
        return Decision(memory, "nothing changed")
    inputs, published = find_inputs(home, settings), published_state(home)
    events = list(new_versions(instance, inputs.versions))
    stale = stale_assets(home, published.data_versions, inputs.versions)
    if not stale:
        return Decision(Memory(stamp, memory.since, _published_mark(home)), "nothing changed", events=events)
    return Decision(memory, assets=selection(home, published.data_versions, stale), events=events)


def outside_stamp(home: Home, settings: Settings) -> str:
    """Hash of all that a refresh would read, by the times of files: it costs no reading.

    Raises
    ------
    ConceptError
        When the folder of images cannot be used.
    """
    words, model = settings.vocabulary, settings.embedding
    named = (words.source, model.model, model.text_model, model.embeddings)
    parts = [
        _PROCESS,
        settings.model_dump(mode="json"),
        folder_stamp(image_folder(home, settings), exclude=home.path),
        *(_stamp(Path(name)) for name in named if name is not None),
        *(_file_stamp(path) for path in (home.curation, home.forgotten)),
    ]
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def _stamp(path: Path) -> str | None:
    """Stamp of a file or a folder that a setting names; None where it is neither."""
    if path.is_dir():
        return folder_stamp(path)
    return _file_stamp(path)


def _file_stamp(path: Path) -> str | None:
    if not path.is_file():
        return None
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _published_mark(home: Home) -> str:
    """What changes whenever a state is published."""
    return _file_stamp(home.database) or "nothing"
