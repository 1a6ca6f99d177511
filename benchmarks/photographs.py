"""Labelled pictures to measure on: which there are, and their pixels."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concept_lib.errors import ConceptError
from concept_lib.images.decode import DecodePool
from concept_lib.progress import Progress
from concept_lib.settings import Images
from concept_lib.storage import file_digest

MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Photographs:
    """Pictures with a known kind each, one per content, in the order of their content ids as in the product.

    Attributes
    ----------
    folder
        Where they lie; absolute.
    files
        Path of each, relative to the folder.
    kinds
        True kind of each.
    """

    folder: Path
    files: list[str]
    kinds: list[str]


def read_labels(table: Path) -> dict[str, str]:
    """Kind of each file, from a CSV table with the columns ``file`` and ``label``."""
    with table.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        if not {"file", "label"} <= set(reader.fieldnames or ()):
            raise ConceptError(f"{table} lacks a column: it takes file and label")
        return {row["file"]: row["label"] for row in reader}


def find_photographs(folder: Path) -> Photographs:
    """Read the manifest of a folder of photographs and look whether all of them are there.

    Raises
    ------
    ConceptError
        When the folder, its manifest or a picture is missing.
    """
    if not folder.is_dir():
        raise ConceptError(f"no folder {folder}: give the one of the test photographs with --photos DIR")
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ConceptError(
            f"{folder} has no {MANIFEST}: give a folder whose {MANIFEST} has the columns file and label"
        )
    labels = read_labels(manifest)
    missing = [file for file in labels if not (folder / file).is_file()]
    if missing or not labels:
        what = f"names {missing[0]}, which is not there" if missing else "names no picture"
        raise ConceptError(f"{manifest} {what}: give a whole folder of photographs with --photos DIR")
    by_content = {file_digest(folder / file): file for file in sorted(labels, reverse=True)}
    files = [by_content[content] for content in sorted(by_content)]
    return Photographs(folder.resolve(), files, [labels[file] for file in files])


def decode(photographs: Photographs, size: int, *, progress: Progress | None = None) -> list[np.ndarray]:
    """Decode as the product does.

    Parameters
    ----------
    size
        Pixels of the shorter side.

    Returns
    -------
    list of np.ndarray
        RGB, uint8, shape (height, width, 3) each.

    Raises
    ------
    ConceptError
        When a picture cannot be decoded.
    """
    paths = [os.fsencode(photographs.folder / file) for file in photographs.files]
    pixels = []
    with DecodePool(max_file_bytes=Images().max_file_bytes, root=photographs.folder) as pool:
        for decoded in pool.map(paths, thumbnail=False, pixel_size=size):
            if decoded.pixels is None:
                raise ConceptError(f"{os.fsdecode(decoded.path)} cannot be measured: {decoded.reason}")
            pixels.append(decoded.pixels)
            if progress:
                progress(len(pixels), len(paths))
    return pixels


def central_squares(pixels: Sequence[np.ndarray], side: int) -> np.ndarray:
    """Cut the central square out of each picture and scale it.

    Returns
    -------
    np.ndarray
        uint8, shape (n, side, side, 3).
    """
    from PIL import Image, ImageOps

    squares = [
        ImageOps.fit(Image.fromarray(array), (side, side), Image.Resampling.BICUBIC) for array in pixels
    ]
    return np.stack([np.asarray(square) for square in squares])
