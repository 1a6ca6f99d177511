"""Seconds and memory of a step, and the ledger that remembers them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ledger import MEASURED, Ledger, stamp
from benchmarks.measure import measured
from benchmarks.worker import MACHINE, OURS, work
from concept_lib.errors import ConceptError

BUSY = "import time\nwhile time.process_time() < 0.5: pass\n"


def test_the_seconds_of_a_process_that_ended_count() -> None:
    found = {}
    with measured(found, "step"):
        subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert found["step"]["cpu"] >= 0.45
    assert found["step"]["wall"] >= 0.45


@pytest.mark.skipif(sys.platform != "linux", reason="living processes are seen on Linux alone")
def test_the_seconds_of_a_process_that_lives_count() -> None:
    found = {}
    code = f"{BUSY}print('done', flush=True)\ninput()"
    with measured(found, "step"):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "done\n"
    process.communicate("\n")
    assert found["step"]["cpu"] >= 0.45


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel forgets a peak on Linux alone")
def test_a_peak_is_of_its_own_step() -> None:
    found = {}
    with measured(found, "large"):
        np.ones(200_000_000, np.uint8)
    with measured(found, "small"):
        pass
    assert found["large"]["peak_mb"] - found["small"]["peak_mb"] > 150


def test_a_measure_is_taken_once(tmp_path: Path) -> None:
    taken = []

    def measure() -> dict[str, float]:
        taken.append(len(taken))
        return {"number": float(len(taken))}

    for _ in range(2):  # as two runs would
        ledger = Ledger(tmp_path / "ledger")
        assert ledger.find("other") is None
        assert ledger.take("one", measure)["number"] == 1
    assert taken == [0]
    assert {"number", "load", "at"} == set(ledger.all()["one"])


def test_a_run_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    def fail() -> dict[str, float]:
        raise ConceptError("broken off")

    Ledger(tmp_path).take("first", lambda: {"number": 1})
    with pytest.raises(ConceptError, match="broken off"):
        Ledger(tmp_path).take("second", fail)
    again = Ledger(tmp_path)
    assert again.take("first", fail)["number"] == 1
    assert again.take("second", lambda: {"number": 2})["number"] == 2
    assert list(again.all()) == ["first", "second"]


def test_the_stamp_is_of_the_code(tmp_path: Path) -> None:
    module = tmp_path / "one.py"
    module.write_text("A = 1")
    before = stamp([tmp_path]), stamp([module])
    assert before[0] == before[1] == stamp([tmp_path])
    module.write_text("A = 2")
    assert stamp([tmp_path]) != before[0]
    assert all(part.exists() for part in MEASURED)


def test_a_step_that_fails_says_which_and_why() -> None:
    with pytest.raises(ConceptError, match=r"benchmarks\.ours, step fit, failed: FileNotFoundError.*nowhere"):
        work(OURS, {"step": "fit", "vectors": "nowhere.npy", "out": "a", "space": "b"})


def test_decoding_is_measured_in_images(tmp_path: Path) -> None:
    from benchmarks.inputs.pictures import SMALL, write_pictures

    pictures = list(map(str, write_pictures(tmp_path, 3, SMALL)))
    found = work(MACHINE, {"step": "decoding", "pictures": pictures})
    assert json.loads(json.dumps(found))["images_per_s"] > 0
