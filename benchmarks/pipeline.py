"""The whole product, run as a user runs it, and what its database says afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.figures import JudgedConcept, judge_concept, rightly_named_kinds
from benchmarks.photographs import read_labels
from benchmarks.speed import last_line
from concept_lib.database.queries import open_database
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

OWN = ("CONCEPT_", "DAGSTER_", "MLFLOW_")  # variables that lead to somebody's own home, settings or server


@dataclass(frozen=True, slots=True)
class Published:
    """What a refresh published.

    Attributes
    ----------
    concepts
        Concept of each usable image, by its path in the folder; -1 for outliers.
    labels
        Label of each concept.
    named
        Concepts that have a name.
    """

    concepts: dict[str, int]
    labels: dict[int, str]
    named: set[int]


def concept(*arguments: str | Path, cwd: Path) -> None:
    """Run the ``concept`` command in a fresh process, apart from all settings and homes of the user's.

    Raises
    ------
    ConceptError
        When it fails, with its last line.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    command = [sys.executable, "-m", "concept_assets.cli", *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConceptError(f"concept {arguments[0]} failed: {last_line(done.stderr)}")


def refresh(images: Path, model: str, work: Path) -> Published:
    """Refresh a new home from a folder of images, with default settings.

    Parameters
    ----------
    model
        Name, or absolute path.
    work
        Existing folder; gets ``home``.
    """
    home = Home(work / "home")
    concept("refresh", "--home", home.path, "--images", images, "--model", model, "--json", cwd=work)
    return read_database(home.database)


def read_database(database: Path) -> Published:
    """Read members and labels from a published database."""
    with open_database(database) as connection:
        members = connection.execute(
            "SELECT path, concept_id FROM concept_images JOIN images USING (image_id)"
        ).fetchall()
        concepts = connection.execute("SELECT concept_id, label, named FROM concepts").fetchall()
    labels = {number: label for number, label, _ in concepts}
    return Published(dict(members), labels, {number for number, _, named in concepts if named})


def judge(published: Published, labels: dict[str, str]) -> list[JudgedConcept]:
    """Set each concept beside the true kinds of its images, largest concept first.

    Parameters
    ----------
    labels
        True kind of each file. Images without one do not count, nor do concepts of such images alone.
    """
    members: dict[int, list[str]] = {}
    for path, number in published.concepts.items():
        if number >= 0 and path in labels:
            members.setdefault(number, []).append(labels[path])
    judged = [
        (number, judge_concept(published.labels[number], kinds, named=number in published.named))
        for number, kinds in members.items()
    ]
    return [row for _, row in sorted(judged, key=lambda pair: (-pair[1].n_images, pair[0]))]


def concept_figures(judged: list[JudgedConcept], published: Published) -> dict[str, float]:
    """Share of concepts that are rightly named, how many there are, and how many have no name."""
    return {
        "pipeline": float(np.mean([row.right for row in judged])) if judged else 0.0,
        "pipeline_concepts": float(len(judged)),
        "pipeline_unnamed": float(len(published.labels) - len(published.named)),
    }


def gallery_figures(seed: int, model: str, work: Path) -> dict[str, float]:
    """Render the sample gallery and refresh a new home from it.

    Returns
    -------
    dict
        ``gallery_ari`` (adjusted Rand index, outliers as one group), ``gallery_outliers`` (share),
        ``gallery_concepts`` and ``gallery_named``: kinds that are rightly named.
    """
    from sklearn.metrics import adjusted_rand_score

    work.mkdir()
    concept("sample", "sample", "--seed", str(seed), cwd=work)
    published = refresh(work / "sample", model, work)
    labels = read_labels(work / "sample_labels.csv")
    if set(labels) != set(published.concepts):
        raise ConceptError(
            f"the gallery of seed {seed} has {len(labels)} images, and {len(published.concepts)} were used"
        )
    kinds = [labels[path] for path in sorted(labels)]
    numbers = [published.concepts[path] for path in sorted(labels)]
    shown = {number: label for number, label in published.labels.items() if number in published.named}
    return {
        "gallery_ari": float(adjusted_rand_score(kinds, numbers)),
        "gallery_outliers": float(np.mean(np.array(numbers) < 0)),
        "gallery_concepts": float(len(published.labels)),
        "gallery_named": float(len(rightly_named_kinds(kinds, numbers, shown))),
    }
