"""What no kept state needs, and removing it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from concept_lib.database.history import uncommitted_histories
from concept_lib.database.kept import State, asset_versions, kept_of, states
from concept_lib.embedding.cache import VectorCache
from concept_lib.errors import ConceptError
from concept_lib.images.contents import usable_paths
from concept_lib.storage import TEMPORARY_PREFIX, Home


@dataclass(frozen=True, slots=True)
class Freed:
    """What went, or would go: `n` things of a kind, and their bytes."""

    what: str
    n: int
    n_bytes: int


def clean(home: Home, *, dry_run: bool = False) -> list[Freed]:
    """Remove what neither the published state nor a kept earlier one needs.

    The caller holds the lock on the home, and the published refresh is marked committed.

    Parameters
    ----------
    home
        At least one refresh was published in it.
    dry_run
        Only tell.
    """
    kept = kept_of(states(home))
    if not kept[-1].is_whole(home):
        raise ConceptError("stored files of the published state are missing or damaged; run: concept refresh")
    wanted = image_ids(home, kept)
    needless = [
        path
        for path in home.needless_assets(asset_versions(kept))
        if not path.name.startswith(TEMPORARY_PREFIX)
    ]
    freed = [
        _remove("leftovers of runs that were ended", leftovers(home), dry_run=dry_run),
        _remove("stored versions of assets", needless, dry_run=dry_run),
        _remove(
            "thumbnails", (path for path in thumbnails(home) if path.stem not in wanted), dry_run=dry_run
        ),
    ]
    models = {state.model for state in kept}
    folders = vector_folders(home)
    unused = [folder for folder in folders if folder.name not in models]
    freed.append(_remove("vector caches of other encoders", unused, dry_run=dry_run))
    vectors, n_bytes = 0, 0
    for folder in folders:
        if folder.name in models:
            cache = VectorCache(folder)
            gone = [image_id for image_id in cache.ids if image_id not in wanted]
            vectors, n_bytes = vectors + len(gone), n_bytes + len(gone) * cache.row_bytes
            if gone and not dry_run:
                cache.remove(gone)
    return [*freed, Freed("cached vectors", vectors, n_bytes)]


def image_ids(home: Home, kept: Sequence[State]) -> set[str]:
    """Contents that some states show; those whose files are gone show none."""
    versions = asset_versions(kept).get("images", set())
    stored = [home.load_asset("images", version) for version in sorted(versions)]
    return {
        image_id
        for images in stored
        if images is not None and images.is_whole()
        for image_id in usable_paths(images.table("files"))
    }


def leftovers(home: Home) -> list[Path]:
    """What runs that were killed left half-made."""
    name = f"{TEMPORARY_PREFIX}*"
    found = [*home.path.glob(name)]
    for root in (home.assets, home.cache, home.histories):
        found += root.rglob(name)
    found += [home.pixels] if home.pixels.exists() else []
    whole = [path for path in found if not any(parent in found for parent in path.parents)]
    halves = [
        file
        for folder in vector_folders(home)
        for file in folder.glob("*.npy")
        if not file.with_suffix(".ids").exists()
    ]
    return [*whole, *uncommitted_histories(home.histories), *halves]


def thumbnails(home: Home) -> list[Path]:
    """Every thumbnail."""
    return sorted(home.thumbnails.glob("*/*.jpg"))


def vector_folders(home: Home) -> list[Path]:
    """The vector caches, one an encoder."""
    return sorted(path for path in home.vector_caches.glob("*") if path.is_dir())


def _remove(what: str, paths: Iterable[Path], *, dry_run: bool) -> Freed:
    """Remove files and folders."""
    n, n_bytes = 0, 0
    for path in paths:
        files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
        n, n_bytes = n + len(files), n_bytes + sum(file.stat().st_size for file in files)
        if dry_run:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return Freed(what, n, n_bytes)
