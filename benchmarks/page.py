"""The page of results, in Markdown."""

from __future__ import annotations

import platform
from importlib.metadata import version
from statistics import median

from benchmarks.ledger import LIBRARIES
from benchmarks.machine import GFLOP
from benchmarks.report import BUSY, NOTHING, limit_cell, line, n_cores, processor
from benchmarks.sheet import Line, Sheet

NOTES = """\
The **seed** is Concept 0.2.1 from PyPI, its own code, in an environment of its own over the same libraries
(`benchmarks/seed/`); two names that SciPy and scikit-learn have dropped since are put back. A step and its
twin run one after the other, each in a fresh process on the same inputs, in odd rounds the other way round. A
figure is the median of the rounds, and a ratio is the median of the rounds' ratios. Ratios are of CPU-
seconds, those of all processes of a step, and *by the clock* beside; images a second are by the clock, on all
cores. Peak memory is that of the main process, libraries included (about 0.7 GB of the seed's); each process
that decodes takes about 0.1 GB more.

The pictures are rendered scenes under photographic grain. CLIP ViT-B/32 has its very sizes and random
weights: the time is the same. Vectors are drawn with known clusters: a cone of mean cosine 0.5, clusters of
20 dimensions, 30 % background. A *fit* is neighbours, UMAP to five dimensions and HDBSCAN; a *cold* one also
imports and compiles what it needs, where neither side counts the imports of sentence-transformers, pandas and
matplotlib. HDBSCAN and the exemplars run on the same coordinates, collages on the same images (ours from the
thumbnails that a refresh keeps, the seed's from the originals), words on the same vectors. A cluster in which the
seed finds fewer than eight exemplars, at which it would stop, is left out of its exemplars."""
NO_GPU = "\n\nNo GPU was at hand: its rows are absent."


def page(sheet: Sheet, command: str) -> str:
    """All of it.

    Parameters
    ----------
    sheet
        What was measured.
    command
        What made it.
    """
    lines = sheet.lines()
    device = "" if sheet.device else NO_GPU
    parts = [
        "# How fast, how large, how right",
        _facts(sheet, command),
        figures(lines) + device,
        NOTES,
        _seed_run(sheet),
        "## What the machine can do",
        limits(sheet),
        "## Every measure",
        measures(sheet),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def figures(lines: list[Line]) -> str:
    """One line a figure."""
    table = [line("figure", "ours", "the seed", "measured", "by the clock", "needed"), line(*["---"] * 6)]
    for one in lines:
        value = "not measured" if one.value is None else f"{one.value:{one.row.form}}"
        clock = "" if one.clock is None else f"{one.clock:{one.row.form}}"
        needed = limit_cell(one.row, one.value, one.row.needed)
        table.append(line(one.row.title, *one.sides, value, clock, needed))
    return "\n".join(table)


def limits(sheet: Sheet) -> str:
    """What matrix products and decoding alone would allow, and the two together."""
    matrices = sheet.rounds("matrix")
    table = [line("limit", "measured", "images/s"), line("---", "---:", "---:")]
    cores, rates = n_cores(), {}
    for precision in ("fp32", "bf16"):
        found = [one[precision] for one in matrices]
        if found:
            rates[precision] = median(found) / GFLOP
            cells = f"{median(found):.0f} GFLOP/s", f"{rates[precision]:.1f}"
            table.append(line(f"matrix products of ViT-B/32, {precision}, {cores} cores", *cells))
    for name in sheet.plan.pictures:
        found = [one["images_per_s"] for one in sheet.rounds(f"decoding-{name}")]
        if found:
            decoding = median(found) * cores
            cells = f"{median(found):.0f} a CPU-second", f"{decoding:.0f}"
            table.append(line(f"decoding of {name} to 224 px", *cells))
            for precision, rate in rates.items():
                both = 1 / (1 / rate + 1 / decoding)
                table.append(line(f"both on the same cores, {name}, {precision}", "", f"{both:.1f}"))
    return "\n".join(table)


def measures(sheet: Sheet) -> str:
    """Every measure as it was taken."""
    table = [
        line("measure", "step", "CPU-s", "s", "peak GB", "load before", "taken (UTC)"),
        line("---", "---", *["---:"] * 4, "---"),
    ]
    for name, found in sheet.ledger.all().items():
        load = f"{found['load']:.1f}" + (" busy" if found["load"] >= BUSY + n_cores() else "")
        steps = {step: one for step, one in found.items() if isinstance(one, dict)} or {NOTHING: {}}
        for step, one in steps.items():
            cells = (_number(one.get("cpu")), _number(one.get("wall")), _number(one.get("peak_mb"), 1e3))
            table.append(line(name, step, *cells, load, found["at"]))
    return "\n".join(table)


def _number(value: float | None, unit: float = 1.0) -> str:
    return NOTHING if value is None else f"{value / unit:.2f}"


def _facts(sheet: Sheet, command: str) -> str:
    """What was measured when, with what, and on which machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    times = sorted(found["at"] for found in sheet.ledger.all().values())
    when = f"from {times[0]} to {times[-1]} (UTC)" if times else "never"
    return (
        f"Made by `{command}` {when} with Concept Atlas {version('concept-atlas')}. Machine: {n_cores()} cores, "
        f"{processor()}. Python {platform.python_version()}, {versions}."
    )


def _seed_run(sheet: Sheet) -> str:
    """What the seed's whole run is a sum of."""
    cpu, wall = sheet.seed_run("cpu"), sheet.seed_run("wall")
    if cpu is None or wall is None:
        return "**The seed was not measured**: its environment could not be made. The product stands alone."
    plan = sheet.plan
    embedded = (
        "all images" if plan.once else f"{plan.pictures['640x427']:,} images, taken as many times as it needs"
    )
    return (
        f"The seed's whole run over {plan.largest:,} images, {cpu:.0f} CPU-s or {wall:.0f} s, is the sum of its "
        f"parts: embedding {embedded}; the nouns, from {plan.nouns:,} of them; a cold fit; exemplars, 150 collages, "
        "and labels by cosine."
    )
