"""The list of images that must not come back."""

from __future__ import annotations

from concept_lib.storage import Home, write_file


def forgotten_images(home: Home) -> frozenset[str]:
    """Ids of the contents that every scan skips; whoever takes a line out of the file lets its image in again."""
    if not home.forgotten.is_file():
        return frozenset()
    return frozenset(home.forgotten.read_text(encoding="ascii").split())


def add_forgotten(home: Home, image_id: str) -> None:
    """Put an image on the list, for good.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> home = Home(Path(tempfile.mkdtemp()))
    >>> add_forgotten(home, "ab" * 32)
    >>> forgotten_images(home) == {"ab" * 32}
    True
    """
    ids = sorted({*forgotten_images(home), image_id})
    write_file(home.forgotten, "".join(f"{line}\n" for line in ids).encode())
