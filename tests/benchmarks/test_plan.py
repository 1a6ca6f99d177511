"""The order in which things are measured, and the command as it is measured."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from benchmarks import command, plan
from benchmarks.inputs.pictures import SMALL, write_pictures
from benchmarks.ledger import Ledger
from benchmarks.plan import Plan, Run
from benchmarks.speed import ROOT
from benchmarks.worker import OURS, work
from concept_lib.errors import ConceptError

PLAN = Plan(images={8: 2}, pictures={"640x427": 2}, nouns=4, words=50, growth=(8, 16, 40), added=1)


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Steps that are asked for, and none of them done."""
    asked = []

    def work(module: str, job: dict, interpreter: object = None) -> dict:
        asked.append((module.rpartition(".")[2] if module != plan.SEED else "seed", job["step"]))
        return {}

    monkeypatch.setattr(plan, "work", work)
    monkeypatch.setattr(plan, "_rightness", lambda *_: {})
    monkeypatch.setattr(plan, "_apart", lambda *_: {})
    monkeypatch.setattr(plan, "_agreement", lambda *_: {})
    monkeypatch.setattr(plan, "COMPARED", 16)
    monkeypatch.setattr(plan, "write_clip", lambda folder: folder)
    return asked


def test_a_step_and_its_twin_follow_each_other_now_the_one_first_now_the_other(tmp_path: Path, jobs) -> None:
    Run(PLAN, tmp_path, Ledger(tmp_path / "ledger"), Path("seed")).everything()
    fits = [side for side, step in jobs if step == "fit"]
    assert fits == ["ours", "seed", "seed", "ours"]
    for first, second in zip(fits[::2], fits[1::2], strict=True):
        assert first != second
    assert jobs.count(("machine", "matrix_products")) == 2
    assert [step for _, step in jobs].count("refresh") == 1
    assert [step for _, step in jobs].count("grow") == 4  # of one size also a sample is fitted


@pytest.mark.slow
def test_a_fit_of_a_sample_is_held_against_a_fit_of_all(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(plan, "COMPARED", 1000)
    run = Run(PLAN, tmp_path, Ledger(tmp_path / "ledger"), None)
    run.growth(1000)
    everyone, sample = (np.load(tmp_path / f"{way}_1000.npy") for way in ("grow", "sampled"))
    assert len(everyone) == len(sample) == 1000
    assert not np.array_equal(everyone, sample)
    assert run.ledger.find("agreement-1000")["ari"] == pytest.approx(adjusted_rand_score(everyone, sample))
    assert {"cpu", "wall", "peak_mb"} <= set(run.ledger.find("sampled-1000")["grow"])


def test_what_was_measured_is_not_measured_again(tmp_path: Path, jobs) -> None:
    run = Run(PLAN, tmp_path, Ledger(tmp_path / "ledger"), Path("seed"))
    run.everything()
    taken = len(jobs)
    (tmp_path / "ledger" / "labels-seed-1.json").unlink()
    run.everything()
    assert jobs[taken:] == [("seed", "labels")]


def test_without_the_seed_we_are_measured_alone(tmp_path: Path, jobs) -> None:
    Run(PLAN, tmp_path, Ledger(tmp_path / "ledger"), None).everything()
    assert {side for side, _ in jobs} == {"ours", "machine"}


def test_a_seed_that_cannot_be_made_is_a_warning(monkeypatch, capsys) -> None:
    def fail() -> Path:
        raise ConceptError("no PyPI")

    monkeypatch.setattr(command, "make", fail)
    assert command.seed_interpreter() is None
    assert capsys.readouterr().err == "warning: no PyPI; the product is measured alone\n"


@pytest.mark.parametrize("name", ["quick", "full", "gpu", "seed"])
def test_help_says_what_it_is_for(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"python -m benchmarks.{name}" in done.stdout


@pytest.mark.slow
def test_the_command_is_measured_on_a_collection_of_its_own(tiny_model: Path, tmp_path: Path) -> None:
    pictures = list(map(str, write_pictures(tmp_path / "pictures", 14, SMALL)))
    job = {
        "step": "refresh",
        "folder": tmp_path / "collection",
        "pictures": pictures[:12],
        "added": pictures[12:],
    }
    found = work(OURS, job | {"model": tiny_model})
    assert found["opened"] == 0
    assert found["mode"] in {"assigned", "fit"}
    assert all(found[name]["cpu"] > 0 for name in ("first", "unchanged", "added"))
    assert len(list((tmp_path / "collection" / "images").iterdir())) == 14


def test_files_that_a_process_opens_are_told(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())
    log = tmp_path / "log"
    log.write_text("")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "benchmarks" / "opened"), "OPENED_LOG": str(log)}
    code = f"from PIL import Image; Image.open({str(tmp_path / 'a.png')!r}).load()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert str(tmp_path / "a.png") in log.read_text().splitlines()
