"""From measures to the lines of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import full, quick
from benchmarks.ledger import Ledger
from benchmarks.machine import GFLOP
from benchmarks.page import figures, page
from benchmarks.plan import Plan
from benchmarks.sheet import Line, Sheet
from concept_lib.vocabulary import load_vocabulary

PLAN = Plan(
    images={100: 2, 400: 1}, pictures={"640x427": 100}, nouns=32, words=500, growth=(100_000, 1_000_000)
)


def seconds(cpu: float, wall: float, peak_mb: float = 100.0) -> dict[str, float]:
    return {"cpu": cpu, "wall": wall, "peak_mb": peak_mb}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def put_fit(ledger: Ledger, name: str, cold: dict[str, float], ari: float = 1.0) -> None:
    put(ledger, name, cold=cold, warm=seconds(1, 1), map=seconds(1, 1), ari=ari, ari_all=0.1)


def put(ledger: Ledger, name: str, **found: object) -> None:
    ledger.take(name, lambda: found)


def line(ledger: Ledger, title: str) -> Line:
    [found] = [one for one in Sheet(PLAN, ledger).lines() if title in one.row.title]
    return found


def test_with_nothing_measured_each_line_says_so(ledger: Ledger) -> None:
    lines = Sheet(PLAN, ledger).lines()
    assert len(lines) > 30
    assert {one.value for one in lines} == {None}
    assert all("not measured" in row for row in figures(lines).splitlines()[2:])


def test_a_ratio_is_the_median_of_the_ratios_of_the_rounds(ledger: Ledger) -> None:
    for number, (ours, seed) in enumerate([((2, 4), (10, 8)), ((1, 1), (9, 3)), ((4, 2), (8, 2))]):
        put_fit(ledger, f"fit-100-ours-{number}", seconds(*ours), ari=0.5)
        put_fit(ledger, f"fit-100-seed-{number}", seconds(*seed), ari=0.6)
    cold = line(ledger, "fit, 100 vectors: a cold process")
    assert (cold.value, cold.clock) == (5, 2)  # of 5, 9, 2; and of 2, 3, 1
    assert cold.sides == ("2.00 CPU-s, 2.00 s", "9.00 CPU-s, 3.00 s")
    gap = line(ledger, "fit, 100 vectors: ARI to the truth")
    assert gap.value == pytest.approx(-0.1)
    assert "| -0.100 |  | ≥ -0.020 **short** |" in figures([gap])


def test_embedding_is_compared_by_the_clock_and_with_the_limit_of_its_round(ledger: Ledger) -> None:
    put(ledger, "matrix-0", fp32=100 * GFLOP, bf16=400 * GFLOP)
    put(ledger, "embed-640x427-100-fp32-0", embed=seconds(9, 2))
    put(ledger, "embed-640x427-100-seed-0", embed=seconds(9, 5))
    put(ledger, "embed-640x427-100-apart-0", fp32=2e-5)
    assert line(ledger, "images: fp32, times the seed's").value == pytest.approx(2.5)
    assert line(ledger, "images: fp32, share of the GEMM").value == pytest.approx(0.5)
    assert line(ledger, "images: fp32, largest").value == 2e-5
    assert line(ledger, "images: bf16, share of the GEMM").value is None
    text = figures([line(ledger, "images: fp32, times the seed's")])
    assert "| 50.0 images/s | 20.0 images/s | 2.50 |  | ≥ 2.10 met |" in text


def test_the_seeds_whole_run_is_the_sum_of_its_parts(ledger: Ledger) -> None:
    put(ledger, "embed-640x427-100-seed-0", embed=seconds(10, 5))
    nouns = len(load_vocabulary("nouns").words)
    put(ledger, "nouns-seed-0", words=seconds(3.2, 3.2))
    put_fit(ledger, "fit-400-seed-0", seconds(7, 7))
    put(ledger, "cluster-400-seed-0", cluster=seconds(99, 99), exemplars=seconds(1, 1))
    put(ledger, "collages-seed-0", collages=seconds(2, 2))
    assert Sheet(PLAN, ledger).seed_run("cpu") is None  # the labels are not there yet
    put(ledger, "labels-seed-0", labels=seconds(0.5, 0.5))
    assert Sheet(PLAN, ledger).seed_run("cpu") == pytest.approx(4 * 10 + nouns / 10 + 10.5)
    put(ledger, "refresh", first=seconds(9, 9), unchanged=seconds(5, 6), opened=0, added=seconds(2, 16))
    assert line(ledger, "100 more, 400 images: times the seed's").value == pytest.approx(
        (50.5 + nouns / 10) / 2
    )
    unchanged, opened, added = (line(ledger, title) for title in ("process time", "opened", "seconds in all"))
    assert (unchanged.value, opened.value, added.value) == (5, 0, 16)
    text = figures([unchanged, opened, added])
    assert "< 6.0 met" in text
    assert "< 1 met" in text
    assert "< 15.0 **short**" in text


def test_growth_is_of_a_hundred_thousand_to_a_million(ledger: Ledger) -> None:
    put(ledger, "grow-100000", grow=seconds(10, 20, 3000))
    assert line(ledger, "growth of the time").value is None
    put(ledger, "grow-1000000", grow=seconds(110, 260, 11_500))
    growth = line(ledger, "growth of the time")
    assert (growth.value, growth.clock) == (11, 13)
    assert line(ledger, "1,000,000 given vectors: peak").value == pytest.approx(11.5)


def test_a_gpu_has_rows_where_there_was_one(ledger: Ledger) -> None:
    assert "No GPU was at hand" in page(Sheet(PLAN, ledger), "x")
    text = page(Sheet(PLAN, ledger, {"device": "H", "jpeg": 4100.4, "model": 14_000.0}), "x")
    assert "No GPU" not in text
    assert "| H: JPEG 640x427 to vector, images/s |  |  | 4100 |  | ≥ 4000 met |" in text
    assert "| 14000 |  | ≥ 15000 **short** |" in text


def test_the_page_says_when_the_seed_was_not_measured(ledger: Ledger) -> None:
    put_fit(ledger, "fit-100-ours-0", seconds(1, 1))
    text = page(Sheet(PLAN, ledger), "python -m benchmarks.quick")
    assert "The seed was not measured" in text
    assert "| fit-100-ours-0 | warm | 1.00 | 1.00 | 0.10 |" in text


@pytest.mark.parametrize("plan", [quick.PLAN, full.PLAN])
def test_the_plans_have_the_sizes_that_they_are_named_for(plan: Plan) -> None:
    assert plan.smallest == plan.pictures["640x427"] == 2500
    assert set(plan.pictures) == {"640x427", "1080x720"}
    assert plan.added == 100
