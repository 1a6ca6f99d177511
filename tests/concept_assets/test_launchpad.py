"""The job's configuration: it runs as it stands, each setting is typed, and what is set is kept."""

from __future__ import annotations

from typing import Any

import dagster as dg
import duckdb
import pytest
import yaml
from dagster._core.snap.config_types import build_config_schema_snapshot
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap

from concept_assets.automation import REFRESH_JOB, nightly_verify
from concept_assets.definitions import defs
from concept_assets.launchpad import SettingsConfig, chosen
from concept_assets.refresh import run_job
from concept_assets.resources import StorageResource
from concept_lib.errors import ConceptError
from concept_lib.settings import SECTIONS, Settings
from concept_lib.settings_sources import kept
from concept_lib.storage import Home


@pytest.fixture(scope="module")
def job() -> dg.JobDefinition:
    return defs.resolve_job_def(REFRESH_JOB)


def storage(**config: Any) -> dict[str, Any]:
    return {"resources": {"storage": {"config": config}}}


def test_what_the_launchpad_opens_with_is_valid(job: dg.JobDefinition) -> None:
    snapshot = build_config_schema_snapshot(job)
    root = snapshot.get_config_snap(job.run_config_schema.run_config_schema_type.key)
    opened = yaml.safe_load(default_values_yaml_from_type_snap(snapshot, root))
    assert opened == storage(verify=False, accept_loss=False)
    for config in ({}, opened):
        assert dg.validate_run_config(job, config)


def test_what_the_schedule_asks_for_is_valid(job: dg.JobDefinition) -> None:
    context = dg.build_schedule_context()
    [request] = nightly_verify.evaluate_tick(context).run_requests or ()
    found = dg.validate_run_config(job, request.run_config)
    assert found["resources"]["storage"]["config"]["verify"] is True


def test_every_setting_is_there_with_its_meaning() -> None:
    for field in StorageResource.model_fields.values():
        assert len(field.description or "") > 30
    for name, section in SECTIONS.items():
        config = SettingsConfig.model_fields[name].annotation
        assert set(config.model_fields) == set(section.model_fields)
        for key, field in config.model_fields.items():
            assert (field.description or "").startswith(section.model_fields[key].description or "-")
            default = section.model_fields[key].default
            assert default is None or str(default) in field.description


def test_every_default_can_be_written(job: dg.JobDefinition) -> None:
    defaults = Settings().model_dump(exclude_none=True)
    del defaults["clustering"]["min_concept_size"]  # auto; what can be written is a number
    found = dg.validate_run_config(job, storage(settings=defaults))
    assert found["resources"]["storage"]["config"]["settings"]["reduction"]["refit"] == "auto"


@pytest.mark.parametrize(
    "settings",
    [{"reduction": {"n_neighbours": 9}}, {"reduction": {"n_neighbors": "many"}}, {"labels": {"method": "x"}}],
)
def test_a_wrong_setting_is_refused_before_anything_runs(
    job: dg.JobDefinition, settings: dict[str, Any]
) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, storage(settings=settings))


def test_settings_are_told_as_the_command_line_tells_them() -> None:
    config = SettingsConfig(tracking={"enabled": False}, labels={"method": "ctfidf", "min_confidence": 0.25})
    assert chosen(config) == {
        "labels.method": "ctfidf",
        "labels.min_confidence": "0.25",
        "tracking.enabled": "false",
    }
    assert chosen(SettingsConfig()) == {}


def test_a_setting_of_the_launchpad_is_obeyed_and_kept(own_home: Home, run) -> None:
    run(own_home)
    run_job(own_home, {}, {"settings": {"labels": {"n_shown": 1, "min_confidence": 0}}})
    with duckdb.connect(str(own_home.database), read_only=True) as connection:
        labels = [label for (label,) in connection.execute("SELECT label FROM concepts").fetchall()]
    assert len(labels) == 4
    assert not any("," in label for label in labels)
    assert kept(own_home)["labels.n_shown"] == 1
    assert run(own_home)[0]["mode"] == "unchanged", "neither the command line nor the sensor undoes it"
    with pytest.raises(ConceptError, match=r"labels\.n_shown = 99"):
        run_job(own_home, {}, {"settings": {"labels": {"n_shown": 99}}})
    assert kept(own_home)["labels.n_shown"] == 1, "what was refused is not kept"
