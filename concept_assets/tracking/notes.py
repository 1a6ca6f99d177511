"""Descriptions of runs, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

LISTED = 8


def refresh_note(
    *,
    title: str,
    counts: str,
    reason: str | None,
    born: Sequence[str],
    died: Sequence[str],
    dagster_url: str,
    charts_url: str,
    collages_url: str,
    database: Path,
) -> str:
    """Tell what one refresh did, and where the rest of it is.

    Parameters
    ----------
    title
        What happened.
    counts
        What there is now, in one line.
    reason
        Why the concepts were fitted anew, None where they were not.
    born, died
        Labels of the concepts that came and went since the refresh before.
    dagster_url, charts_url, collages_url, database
        Where more is to be seen.
    """
    changes = [("Fitted anew", reason), ("New concepts", _listed(born)), ("Gone", _listed(died))]
    lines = [f"- {what}: {told}" for what, told in changes if told]
    blocks = [
        f"**{escaped(title)}**: {counts}.",
        "\n".join(lines),
        f"Beside the other refreshes: [figures]({charts_url}), [collages]({collages_url}) (choose Compare: collage). "
        f"Asset by asset: [the Dagster run]({dagster_url}).",
        f"In SQL, with any DuckDB client: `duckdb -readonly '{database}' 'FROM concept_summary'`",
    ]
    return "\n\n".join(block for block in blocks if block)


def counted(n_images: int, n_concepts: int, n_outliers: int, n_failed: int = 0) -> str:
    """What there is, in one line.

    Examples
    --------
    >>> counted(1200, 1, 0)
    '1,200 images in 1 concept, no outliers'
    """
    parts = [
        f"{_plural(n_images, 'image')} in {_plural(n_concepts, 'concept')}",
        _plural(n_outliers, "outlier"),
    ]
    return ", ".join([*parts, *([f"{_plural(n_failed, 'file')} failed"] if n_failed else [])])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of cells that are Markdown themselves.

    Examples
    --------
    >>> print(table(["a", "b"], [["1", "**2**"]]))
    | a&ensp; | b&ensp; |
    | ---: | ---: |
    | 1 | **2** |
    """
    spaced = [f"{name}&ensp;" for name in columns]  # MLflow's pages leave no room between columns
    lines = [spaced, ["---:"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Text in which nothing is markup; a label may hold anything."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#!" else letter for letter in " ".join(text.split()))


def _plural(n: int, what: str) -> str:
    return f"{f'{n:,}' if n else 'no'} {what}{'' if n == 1 else 's'}"


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - LISTED:,} more" if len(labels) > LISTED else ""
    return ", ".join(escaped(label) for label in labels[:LISTED]) + more
