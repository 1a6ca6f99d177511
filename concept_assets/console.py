"""How the command line looks: progress, tables, and plain lines where no person watches."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from concept_lib.experiment.ranking import ranking_texts
from concept_lib.settings_sources import Resolved

if TYPE_CHECKING:
    from concept_lib.cleaning import Freed

NUMBERS = {
    *("id", "images", "confidence", "similarity", "concept", "no", "since refresh", "undone in refresh"),
    *("refresh", "concepts", "outliers", "before", "after", "stayed", "came in", "went out", "drift"),
}
ELASTIC = {"label", "words", "path", "value", "what it is", "action", "title"}
STAGES = {
    "sample": "rendering the gallery",
    "download": "downloading (MB)",
    "unzip": "unpacking the pictures",
    "images": "looking at the images",
    "vocabulary": "reading the vocabulary",
    "image_embeddings": "embedding the images",
    "vocabulary_embeddings": "embedding the words",
    "reduced_vectors": "reducing with UMAP",
    "clusters": "clustering with HDBSCAN",
    "exemplar_collages": "making collages",
    "labels": "naming the concepts",
    "concept_database": "publishing",
    "experiment": "trying settings",
}


class ProgressView:
    """A bar a stage on a terminal, a line a stage elsewhere; always on stderr.

    Dagster captures file descriptor 2 while a step runs, so the view keeps a descriptor of its own.
    """

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(sys.stderr.fileno()), "w")
        self.console = Console(file=self._file, force_terminal=sys.stderr.isatty())
        self._bars = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<24}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=self.console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> ProgressView:
        if self.console.is_terminal:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bars.stop()
        self._file.close()

    def say(self, line: str) -> None:
        """Print one line above the bars."""
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)

    def warned(self, line: str) -> None:
        """Print a warning above the bars."""
        self.say(f"warning: {line}")

    def started(self, asset: str) -> None:
        """Show a new stage."""
        self._tasks[asset] = self._bars.add_task(STAGES.get(asset, asset), total=None, note="")

    def advanced(self, asset: str, done: int, total: int) -> None:
        """Move a stage's bar."""
        self._bars.update(self._tasks[asset], completed=done, total=total, note=f"{done:,} of {total:,}")

    def ended(self, asset: str, *, reused: bool) -> None:
        """Close a stage's bar; without a terminal, print its one line."""
        task = self._tasks[asset]
        total = self._bars.tasks[task].total or 1
        note = "unchanged" if reused else f"{total:,.0f}" if total > 1 else ""
        self._bars.update(task, completed=total, total=total, note=note)
        if not self.console.is_terminal:
            self.say(f"{STAGES.get(asset, asset)}: {note or 'done'}")


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Keep stdout clean for JSON: whatever a library prints goes to stderr, C code included."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def concept_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Concepts: id, label, images, confidence, words."""
    table = _table("id", "label", "images", "confidence", "words")
    for row in rows:
        confidence = "" if row["label_confidence"] is None else f"{row['label_confidence']:.2f}"
        label = _elastic(row["label"], "bold" if row["named"] else "dim")
        words = _elastic(", ".join(row["words"] or ()), "dim")
        table.add_row(str(row["concept_id"]), label, f"{row['n_images']:,}", confidence, words)
    return table


def curation_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What the user decided: number, action, state."""
    table = _table("no", "action", "since refresh", "undone in refresh")
    for row in rows:
        since, undone = (row[name] or "" for name in ("refresh_id", "undone_refresh_id"))
        style = "dim" if row["undone"] else ""
        table.add_row(str(row["number"]), _elastic(action_text(row), style), str(since), str(undone))
    return table


def action_text(row: Mapping[str, Any]) -> str:
    """What the user decided about a concept, in the words of the command.

    Examples
    --------
    >>> action_text({"action": "rename", "concept_id": 3, "other_concept_id": None, "name": "by the sea"})
    'rename 3 "by the sea"'
    >>> action_text({"action": "merge", "concept_id": 3, "other_concept_id": 5, "name": None})
    'merge 3 5'
    """
    parts = [row["action"], str(row["concept_id"])]
    if row["other_concept_id"] is not None:
        parts.append(str(row["other_concept_id"]))
    if row["name"] is not None:
        parts.append(f'"{row["name"]}"')
    return " ".join(parts)


def found_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What a search found: concepts, or images by their paths."""
    last = "label" if rows and "label" in rows[0] else "path"
    table = _table("similarity", "concept", last)
    for row in rows:
        table.add_row(f"{row['similarity']:.3f}", str(row["concept_id"]), _elastic(row[last]))
    return table


def refresh_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Refreshes: number, time in UTC, title, mode, sizes, and what is left of the state."""
    table = _table("refresh", "when (UTC)", "title", "mode", "images", "concepts", "outliers", "state")
    for row in rows:
        sizes = (f"{row[name]:,}" for name in ("n_images", "n_concepts", "n_outliers"))
        title = _elastic(row["title"], "bold" if row["state"] == "present" else "")
        state = Text(row["state"], style="dim" if row["state"] == "gone" else "")
        when = f"{row['published_at']:%Y-%m-%d %H:%M}"
        table.add_row(str(row["refresh_id"]), when, title, row["mode"], *sizes, state)
    return table


def comparison_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Concepts at two refreshes: label, images before and after, how many stayed, came in and went out."""
    table = _table("concept", "label", "before", "after", "stayed", "came in", "went out", "change")
    for row in rows:
        label, renamed = row["label_b"] or row["label_a"] or "", row["label_a"] or row["label_b"]
        shown = label if label == (renamed or "") else f"{renamed} → {label}"
        came, went = row["new_images"] + row["moved_in"], row["removed_images"] + row["moved_out"]
        counts = (f"{n:,}" for n in (row["n_a"], row["n_b"], row["kept"], came, went))
        table.add_row(str(row["concept_id"]), _elastic(shown, "bold"), *counts, row["change"])
    return table


def life_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One concept at each refresh: label, images, drift and events."""
    table = _table("refresh", "when (UTC)", "label", "images", "drift", "events")
    for row in rows:
        drift = "" if row["drift"] is None else f"{row['drift']:.3f}"
        when = f"{row['published_at']:%Y-%m-%d %H:%M}"
        events = Text(", ".join(row["events"]))
        numbers = (f"{row['n_images']:,}", drift)
        table.add_row(str(row["refresh_id"]), when, _elastic(row["label"], "bold"), *numbers, events)
    return table


def settings_view(found: Resolved) -> Table:
    """Every setting with its value, source and meaning."""
    table = _table("setting", "value", "from", "what it is")
    for key, origin in found.origins.items():
        section, _, name = key.partition(".")
        part = getattr(found.settings, section)
        value = getattr(part, name)
        meaning = type(part).model_fields[name].description or ""
        style = "dim" if origin == "default" else "bold"
        shown = _elastic("" if value is None else str(value), style)
        table.add_row(key, shown, origin, Text(meaning, style="dim"))
    return table


def refresh_lines(result: Mapping[str, Any]) -> list[Text]:
    """What a refresh did, and where to look."""
    count = (
        "{n_images:,} images in {n_concepts:,} concepts, {n_outliers:,} outliers, {n_failed:,} files failed"
    )
    work = (
        "nothing changed"
        if result["mode"] == "unchanged"
        else "{mode}: {n_embedded:,} embedded, {n_reused:,} reused"
    )
    lines = {
        f"refresh {result['refresh_id']}": count.format(**result),
        "work": work.format(**result) + f", {sum(result['seconds'].values()):.1f} s",
        "database": result["database"],
        "collages": result["collages"],
        "Dagster run": result["dagster_run_id"],
        "MLflow run": result["mlflow_run_id"] or "none: tracking is off or cannot be reached",
        "look": "concept ui: Dagster and MLflow; concept sql: tables",
    }
    return [Text.assemble((f"{name:<13}", "dim"), str(value)) for name, value in lines.items()]


def ranking_view(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Trials of an experiment, best first: rank, the settings that were tried, figures."""
    headings, cells = ranking_texts(rows)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right")
    for place, row in enumerate(cells):
        table.add_row(*map(Text, row), style="bold" if place == 0 else "")
    return table


def freed_lines(freed: Sequence[Freed], *, dry_run: bool) -> list[str]:
    """What cleaning removed, a line a kind, and the sum."""
    lines = [f"{part.what}: {part.n:,}, {part.n_bytes / 1e6:,.1f} MB" for part in freed if part.n]
    total = sum(part.n_bytes for part in freed) / 1e6
    if not lines:
        return ["Nothing to free: all that is kept is needed."]
    return [*lines, f"{total:,.1f} MB would be freed" if dry_run else f"{total:,.1f} MB freed"]


def _table(*columns: str) -> Table:
    """A table in which only the columns of `_elastic` cells give way on a narrow terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name not in ELASTIC)
    return table


def _elastic(text: str, style: str = "") -> Text:
    """One line that ends in an ellipsis where there is no room; never read as markup."""
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")
