"""The graph as Dagster sees it, through its own processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from concept_assets.definitions import ASSETS, defs
from concept_assets.resources import EncoderResource, StorageResource
from concept_lib.settings import SECTIONS
from concept_lib.settings_sources import keep
from concept_lib.storage import Home

DAGSTER = Path(sys.executable).with_name("dagster")
CHECKOUT = Path(__file__).resolve().parents[2]
EDGES = {
    "images": {"image_folder", "settings/images"},
    "vocabulary": {"vocabulary_source", "settings/vocabulary"},
    "image_embeddings": {"images", "settings/embedding"},
    "vocabulary_embeddings": {"vocabulary", "settings/embedding"},
    "reduced_vectors": {"image_embeddings", "settings/reduction"},
    "clusters": {
        "image_embeddings",
        "reduced_vectors",
        "settings/clustering",
        "settings/exemplars",
        "settings/identity",
        "curation",
    },
    "exemplar_collages": {"clusters", "settings/collages"},
    "labels": {
        "image_embeddings",
        "clusters",
        "vocabulary",
        "vocabulary_embeddings",
        "settings/labels",
        "curation",
    },
}
EDGES["concept_database"] = {*EDGES, "settings/tracking"}


def test_the_graph_is_the_designs() -> None:
    graph = {
        asset.key.to_user_string(): {key.to_user_string() for key in asset.asset_deps[asset.key]}
        for asset in ASSETS
    }
    assert graph == EDGES


def test_every_section_of_the_settings_reaches_an_asset() -> None:
    read = set().union(*EDGES.values())
    assert {f"settings/{name}" for name in SECTIONS} <= read


def test_every_asset_says_what_it_is() -> None:
    for asset in ASSETS:
        [spec] = asset.specs
        assert len(spec.description or "") > 40, spec.key
        assert spec.group_name
        assert spec.owners
        assert spec.kinds
        assert spec.code_version


def test_importing_the_definitions_loads_nothing_heavy() -> None:
    heavy = {
        "torch",
        "sentence_transformers",
        "transformers",
        "umap",
        "hdbscan",
        "sklearn",
        "scipy",
        "matplotlib",
    }
    heavy |= {"mlflow", "numba", "nltk", "pandas"}
    code = f"import sys, concept_assets.definitions; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_materialize_in_memory_gives_the_same_concepts(
    refreshed: Home, gallery: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    settings = refreshed.settings_file.read_text().replace(
        str(refreshed.path.parent / "photos"), str(gallery)
    )
    home.path.mkdir()
    home.settings_file.write_text(settings)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*(defs.assets or ()), *(defs.asset_checks or ())],
            instance=instance,
            resources={"storage": StorageResource(home=str(home.path)), "encoder": EncoderResource()},
        )
        assert result.success
        assert all(check.passed for check in result.get_asset_check_evaluations())
        again = dg.materialize(
            ASSETS,
            instance=instance,
            resources={"storage": StorageResource(home=str(home.path)), "encoder": EncoderResource()},
        )
        reused = [
            event.materialization.metadata["reused"].value
            for event in again.get_asset_materialization_events()
        ]
    assert reused == [True] * len(ASSETS)
    query = "SELECT concept_id, label, n_images, embedding FROM concepts ORDER BY ALL"
    with duckdb.connect(str(home.database), read_only=True) as ours:
        found = ours.execute(query).fetchall()
        assert ours.execute("SELECT count(*) FROM refreshes").fetchone() == (1,)
    with duckdb.connect(str(refreshed.database), read_only=True) as theirs:
        assert found == theirs.execute(query).fetchall()


def dagster(*arguments: str, home: Home, cwd: Path) -> subprocess.CompletedProcess[str]:
    home.dagster.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(CHECKOUT),
        "CONCEPT_HOME": str(home.path),
        "CONCEPT_DAGSTER_STORAGE": str(home.dagster),
    }
    return subprocess.run(
        [str(DAGSTER), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_workspace_validates(tmp_path: Path) -> None:
    shutil.copy(CHECKOUT / "workspace.yaml", tmp_path)
    done = dagster("definitions", "validate", home=Home(tmp_path / "home"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "All code locations passed validation" in done.stdout + done.stderr


@pytest.mark.slow
def test_the_job_runs_in_a_real_dagster_process(gallery: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    keep(home, {"images.folder": str(gallery), "embedding.model": "demo", "clustering.min_concept_size": "5"})
    done = dagster(
        "job", "execute", "-m", "concept_assets.definitions", "-j", "refresh", home=home, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with duckdb.connect(str(home.database), read_only=True) as connection:
        [(run_id, n_images, n_concepts)] = connection.execute(
            "SELECT dagster_run_id, n_images, n_concepts FROM refreshes"
        ).fetchall()
    assert (n_images, n_concepts) == (48, 4)
    with dg.DagsterInstance.from_config(str(_instance(home, tmp_path))) as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.SUCCESS
        latest = instance.get_latest_materialization_event(dg.AssetKey("image_folder"))
        assert latest is not None, "the version of the folder is recorded before the run reads it"


def _instance(home: Home, folder: Path) -> Path:
    """A Dagster instance file that reads the home's runs."""
    (folder / "dagster.yaml").write_text(f"storage:\n  sqlite:\n    base_dir: {home.dagster}\n")
    return folder
