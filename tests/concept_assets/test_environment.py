"""Plain `dagster dev` in a checkout finds the home of the last command."""

from __future__ import annotations

from pathlib import Path

from dotenv import dotenv_values

from concept_assets.environment import prepare
from concept_lib.storage import Home


def test_a_checkout_gets_an_env_file_that_keeps_what_others_wrote(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_module: concept_assets.definitions\n")
    (tmp_path / ".env").write_text("OTHER=kept\n")
    prepare(Home(tmp_path / "my home"))
    prepare(Home(tmp_path / "my home"))
    values = dotenv_values(tmp_path / ".env")
    assert values["OTHER"] == "kept"
    assert values["CONCEPT_HOME"] == str(tmp_path / "my home")
    assert values["CONCEPT_DAGSTER_STORAGE"] == str(tmp_path / "my home" / "dagster")
    assert (Path(values["DAGSTER_HOME"] or "") / "dagster.yaml").is_file()
    assert len((tmp_path / ".env").read_text().splitlines()) == 4


def test_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_module: somebody.elses\n")
    prepare(Home(tmp_path / "home"))
    assert not (tmp_path / ".env").exists()
