"""The sample gallery: which kinds there are, and how pictures become files."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from concept_lib.errors import ConceptError
from concept_lib.images.sample import (
    air,
    beach,
    butterfly,
    city,
    garden,
    harbour,
    highland,
    house,
    night,
    parlour,
    pizza,
    plains,
    railway,
    rain,
    reef,
    table,
)
from concept_lib.images.sample.canvas import Canvas
from concept_lib.progress import Progress
from concept_lib.storage import write_file

SCENES: dict[str, Callable[[Canvas], None]] = {
    "apple": table.apple,
    "balloon": air.balloon,
    "beach": beach.beach,
    "butterfly": butterfly.butterfly,
    "candle": parlour.candle,
    "city": city.city,
    "clock": parlour.clock,
    "cup": table.cup,
    "desert": plains.desert,
    "fireworks": night.fireworks,
    "fish": reef.fish,
    "flower": garden.flower,
    "forest": highland.forest,
    "house": house.house,
    "lighthouse": harbour.lighthouse,
    "mountain": highland.mountain,
    "pizza": pizza.pizza,
    "rainbow": air.rainbow,
    "sailboat": harbour.sailboat,
    "snow": plains.snow,
    "stars": night.stars,
    "sunflower": garden.sunflower,
    "train": railway.train,
    "umbrella": rain.umbrella,
}
KINDS: tuple[str, ...] = tuple(SCENES)
SEEDS_PER_GALLERY = 100_000


def render(kind: str, seed: int, size: int = 256) -> Image.Image:
    """Draw one picture.

    The same kind, seed and size give the same picture in every process; another size gives the same
    composition, scaled.

    Parameters
    ----------
    kind
        One of `KINDS`.
    seed
        0 or more; chooses viewpoint, light, weather, colours and clutter.
    size
        Longest side, pixels.

    Returns
    -------
    PIL.Image.Image
        RGB; square, or 4:3 in either direction.

    Raises
    ------
    ConceptError
        When the kind is unknown, the seed negative or the size not positive.

    Examples
    --------
    >>> render("balloon", 3, 64).mode
    'RGB'
    >>> max(render("balloon", 3, 64).size)
    64
    """
    if kind not in SCENES:
        raise ConceptError(f"unknown kind of sample picture: {kind!r}; take one of {', '.join(KINDS)}")
    if seed < 0 or size < 1:
        raise ConceptError(f"sample picture: seed must be >= 0 and size >= 1, not {seed} and {size}")
    canvas = Canvas(np.random.default_rng([zlib.crc32(kind.encode()), seed]), size)
    SCENES[kind](canvas)
    return canvas.finish()


def write_gallery(folder: Path, *, count: int = 40, seed: int = 7, progress: Progress | None = None) -> Path:
    """Write ``folder/<kind>/<kind>_000.jpg`` and so on, and the true kinds beside the folder.

    Picture i of each kind is ``render(kind, seed * 100_000 + i)``: galleries of different seeds share no
    picture, and training keeps apart by taking another seed. Files that are right are left untouched.

    Parameters
    ----------
    folder
        Where the kinds' folders go; made when missing.
    count
        Pictures of each kind, 1 to 100,000.
    seed
        Gallery seed, 0 or more.
    progress
        Called with the pictures done and their total.

    Returns
    -------
    Path
        ``<folder name>_labels.csv`` beside the folder: columns file (relative to the folder) and label.

    Raises
    ------
    ConceptError
        For a wrong count or seed.
    """
    if not 1 <= count <= SEEDS_PER_GALLERY or seed < 0:
        limits = f"count must be 1..{SEEDS_PER_GALLERY} and seed >= 0"
        raise ConceptError(f"sample gallery: {limits}, not {count} and {seed}")
    files = [(kind, i, f"{kind}/{kind}_{i:03d}.jpg") for kind in KINDS for i in range(count)]
    for done, (kind, i, name) in enumerate(files, start=1):
        _write_if_new(folder / name, _jpeg(render(kind, seed * SEEDS_PER_GALLERY + i)))
        if progress is not None:
            progress(done, len(files))
    labels = folder.parent / f"{folder.name}_labels.csv"
    rows = "".join(f"{name},{kind}\n" for kind, _, name in files)
    _write_if_new(labels, f"file,label\n{rows}".encode())
    return labels


def _jpeg(picture: Image.Image) -> bytes:
    """Encode a picture as the gallery keeps it."""
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=92)
    return data.getvalue()


def _write_if_new(path: Path, data: bytes) -> None:
    """Write a file unless it already has this content."""
    if not path.is_file() or path.read_bytes() != data:
        write_file(path, data, durable=False)
