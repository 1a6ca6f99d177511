"""The tables of the demo model's figures, in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import MIN_CLUSTER_SIZE, SYNONYMS, JudgedConcept
from benchmarks.speed import THREADS, TIMED_IMAGES

GALLERY_SEEDS = (7, 11)
NOTHING = "–"
BUSY = 0.5  # processes that want a core
LIBRARIES = (
    "torch",
    "transformers",
    "sentence-transformers",
    "numpy",
    "scikit-learn",
    "scikit-image",
    "umap-learn",
    "hdbscan",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of the table.

    Parameters
    ----------
    key
        Name of the figure where it is computed.
    title
        What a reader sees.
    needed, hoped
        Limits that the demo model's figure should reach, from issue 3; None where there is none.
    form
        How the figure and its limits are written.
    lower
        Whether lower is better.
    """

    key: str
    title: str
    needed: float | None = None
    hoped: float | None = None
    form: str = ".3f"
    lower: bool = False


def gallery_key(name: str, seed: int) -> str:
    """Key of a figure of the gallery of one seed."""
    return f"{name}_{seed}"


def _gallery_rows(seed: int) -> tuple[Row, ...]:
    title = f"gallery, seed {seed}"
    return (
        Row(gallery_key("gallery_ari", seed), f"{title}: ARI, outliers as one group", 0.95),
        Row(gallery_key("gallery_outliers", seed), f"{title}: share of outliers"),
        Row(gallery_key("gallery_concepts", seed), f"{title}: concepts", form=".0f"),
        Row(gallery_key("gallery_named", seed), f"{title}: kinds rightly named, of 24", 24, form=".0f"),
    )


ROWS: tuple[Row, ...] = (
    Row("kinds_top1", "zero-shot among the kinds, top-1", 0.64, 0.70),
    Row("kinds_top5", "zero-shot among the kinds, top-5", 0.93),
    Row("nouns_top1", "zero-shot among all bundled nouns, top-1"),
    Row("nouns_top5", "zero-shot among all bundled nouns, top-5"),
    Row("kmeans", "k-means AMI, true k, mean of 3 seeds", 0.62, 0.67),
    Row("neighbour", "1-NN accuracy, leaving one out", 0.70, 0.75),
    Row("centroids", "kinds whose centroid ranks the true noun first among all bundled nouns", 0.86, 0.92),
    Row("hdbscan", f"UMAP + HDBSCAN (min {MIN_CLUSTER_SIZE}): AMI, all points", 0.62, 0.67),
    Row("hdbscan_outliers", f"UMAP + HDBSCAN (min {MIN_CLUSTER_SIZE}): share of outliers"),
    Row("hdbscan_clusters", f"UMAP + HDBSCAN (min {MIN_CLUSTER_SIZE}): clusters", form=".0f"),
    Row("pipeline", "pipeline: share of concepts rightly named", 0.75, 0.85),
    Row("pipeline_concepts", "pipeline: concepts", form=".0f"),
    Row("pipeline_unnamed", "pipeline: unnamed concepts", form=".0f"),
    *(row for seed in GALLERY_SEEDS for row in _gallery_rows(seed)),
    Row("images_per_second", f"images/s without decoding, {THREADS} threads", 400, form=".0f"),
    Row("peak_mb", "peak memory of the process that embeds, MB", 1000, form=".0f", lower=True),
)


def limit_cell(row: Row, value: float | None, limit: float | None) -> str:
    """A limit, and whether the unrounded figure meets it.

    Examples
    --------
    >>> limit_cell(Row("", ""), 0.7, 0.64), limit_cell(Row("", ""), 0.6399, 0.64)
    ('≥ 0.640 met', '≥ 0.640 **short**')
    >>> limit_cell(Row("", "", form=".0f", lower=True), 999.9, 1000), limit_cell(Row("", ""), 0.7, None)
    ('< 1000 met', '–')
    """
    if limit is None:
        return NOTHING
    text = f"{'<' if row.lower else '≥'} {limit:{row.form}}"
    if value is None:
        return text
    met = value < limit if row.lower else value >= limit
    return f"{text} {'met' if met else '**short**'}"


def figure_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """One line a figure, one column a representation, and the limits beside.

    Parameters
    ----------
    columns
        Figures of each representation by its name; the first is the one that is held against the limits.
    """
    lines = [
        line("figure", *columns, "needed", "hoped"),
        line("---", *("---:" for _ in columns), "---", "---"),
    ]
    for row in ROWS:
        values = [figures.get(row.key) for figures in columns.values()]
        cells = [NOTHING if value is None else f"{value:{row.form}}" for value in values]
        limits = [limit_cell(row, values[0], limit) for limit in (row.needed, row.hoped)]
        lines.append(line(row.title, *cells, *limits))
    return "\n".join(lines)


def concept_table(judged: Sequence[JudgedConcept]) -> str:
    """One line a concept of the pipeline."""
    lines = [
        line("images", "majority kind", "purity", "label", "right"),
        line("---:", "---", "---:", "---", "---"),
    ]
    lines += [
        line(str(row.n_images), row.kind, f"{row.purity:.2f}", row.label, "yes" if row.right else "no")
        for row in judged
    ]
    return "\n".join(lines)


def report(
    columns: Mapping[str, Mapping[str, float]],
    judged: Sequence[JudgedConcept],
    *,
    model: str,
    photographs: str,
    load: float,
) -> str:
    """The whole page.

    Parameters
    ----------
    columns
        As `figure_table` takes them.
    judged
        Concepts of the pipeline.
    model
        Name and fingerprint.
    photographs
        How many, of how many kinds.
    load
        Load average of the machine just before speed was measured.
    """
    facts = _facts(model, photographs, load)
    return (
        f"# The demo model on photographs that it never saw\n\n{facts}\n\n{figure_table(columns)}\n\n{_notes()}\n\n"
        f"## Concepts of the pipeline on the photographs\n\n{concept_table(judged)}\n"
    )


def _facts(model: str, photographs: str, load: float) -> str:
    """What was measured when, with what, and on which machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    busy = ": **other programs were running, so images/s is a lower bound**" if load >= BUSY else ""
    return (
        f"Made by `python -m benchmarks.demo_model` on {datetime.now(UTC):%Y-%m-%d} with Concept Atlas "
        f"{version('concept-atlas')}, model {model}, on {photographs}. Machine: {n_cores()} cores, "
        f"{processor()}, load average {load:.1f} before speed was measured{busy}. Python "
        f"{platform.python_version()}, {versions}."
    )


def _notes() -> str:
    """What the figures mean."""
    synonyms = ", ".join(" / ".join(sorted(group)) for group in SYNONYMS)
    return (
        "Words are embedded bare. A tie counts against the true word. AMI and ARI count the outliers as one group. "
        "A concept is rightly named when the first word of its label is the kind of most of its images or a synonym "
        f"fixed beforehand ({synonyms}); an unnamed one is not. A kind of the gallery is rightly named when the "
        "concept that holds most of its images shows its very name first. Random weights: the same architecture "
        "initialised anew. Pixel PCA: 32x32 RGB, 128 components. Speed: "
        f"{TIMED_IMAGES} decoded pictures, median of 3. Memory: from the start until all photographs are encoded."
    )


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def line(*cells: str) -> str:
    """One line of a table; a bar within a cell would end it."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
