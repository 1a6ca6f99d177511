"""From files to images: each distinct content is decoded once, and copies share it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from concept_lib.images.catalog import Catalog, FileRecord
from concept_lib.images.decode import Decoded, DecodePool
from concept_lib.images.pixels import PixelStore
from concept_lib.progress import Progress
from concept_lib.storage import write_file

FILES = pa.schema(
    [
        ("path_bytes", pa.binary()),
        ("path", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("image_id", pa.string()),
        ("bytes", pa.int64()),
    ]
)
CONTENTS = pa.schema(
    [
        ("image_id", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("format", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("bytes", pa.int64()),
        ("lasting", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class Content:
    """What decoding said of one content; `reason` is None when it is usable, `lasting` as in `Decoded`."""

    image_id: str
    status: str
    reason: str | None
    format: str | None
    width: int | None
    height: int | None
    bytes: int | None
    lasting: bool


@dataclass(frozen=True, slots=True)
class ImageSet:
    """The folder after decoding.

    Parameters
    ----------
    files
        One record a picture file, in byte order of the paths, with what became of it.
    contents
        One record a content by its id, usable or not.
    n_decoded
        How many files were decoded to find out.
    """

    files: list[FileRecord]
    contents: Mapping[str, Content]
    n_decoded: int

    def tables(self) -> dict[str, pa.Table]:
        """``files`` and ``contents`` as Arrow tables."""
        files = [{name: getattr(file, name) for name in FILES.names} for file in self.files]
        ordered = [self.contents[image_id] for image_id in sorted(self.contents)]
        contents = [{name: getattr(content, name) for name in CONTENTS.names} for content in ordered]
        return {
            "files": pa.Table.from_pylist(files, schema=FILES),
            "contents": pa.Table.from_pylist(contents, schema=CONTENTS),
        }


def known_contents(table: pa.Table) -> dict[str, Content]:
    """Read back what an earlier refresh stored, but for failures that another try may mend."""
    return {row["image_id"]: Content(**row) for row in table.to_pylist() if row["lasting"]}


def usable_paths(files: pa.Table) -> dict[str, list[bytes]]:
    """Paths of each usable image, in byte order, by its id."""
    paths: dict[str, list[bytes]] = defaultdict(list)
    for row in files.select(["path_bytes", "status", "image_id"]).to_pylist():
        if row["status"] == "usable":
            paths[row["image_id"]].append(row["path_bytes"])
    return dict(paths)


def decode_new(
    folder: Path,
    catalog: Catalog,
    known: Mapping[str, Content],
    thumbnail: Callable[[str], Path],
    pool: DecodePool,
    progress: Progress | None = None,
    *,
    pixels: PixelStore | None = None,
    pixel_size: int | None = None,
) -> ImageSet:
    """Decode the contents that are not known yet and keep their thumbnails.

    Parameters
    ----------
    folder
        The folder that was scanned.
    catalog
        What the scan found.
    known
        Contents that an earlier refresh decoded; those whose thumbnail is still there are not decoded again.
    thumbnail
        Where the thumbnail of a content lies.
    pool
        Decoding processes.
    progress
        Called with contents done and in all.
    pixels, pixel_size
        Where to keep pixels for an encoder, and how long their shorter side is; by default none are made.

    Notes
    -----
    A file that changed after the scan is recorded by the bytes that were decoded. A file that cannot be
    read any more fails, and the next copy of its content is tried.
    """
    files = {file.path_bytes: file for file in catalog.files}
    copies: dict[str, list[bytes]] = defaultdict(list)
    for file in catalog.files:
        if file.status == "usable" and file.image_id is not None:
            copies[file.image_id].append(file.path_bytes)
    contents = {
        image_id: content
        for image_id, content in known.items()
        if image_id in copies and (content.status != "usable" or thumbnail(image_id).is_file())
    }
    pending = {image_id: list(paths) for image_id, paths in copies.items() if image_id not in contents}
    total, n_decoded = len(pending), 0
    while pending:
        firsts = [paths.pop(0) for paths in pending.values()]
        for path, found in zip(firsts, _decode(folder, firsts, pool, pixel_size), strict=True):
            n_decoded += 1
            files[path] = _after_decoding(files[path], found)
            if found.image_id is not None:
                contents[found.image_id] = _keep(found, thumbnail)
                if pixels is not None and found.pixels is not None:
                    pixels.put(found.image_id, found.pixels)
            if progress is not None:
                progress(min(n_decoded, total), total)
        pending = {
            image_id: paths for image_id, paths in pending.items() if image_id not in contents and paths
        }
    settled = [_settle(files[path], contents) for path in sorted(files)]
    used = {file.image_id for file in settled if file.image_id is not None}
    return ImageSet(settled, {key: value for key, value in contents.items() if key in used}, n_decoded)


def _decode(
    folder: Path, paths: Iterable[bytes], pool: DecodePool, pixel_size: int | None
) -> Iterable[Decoded]:
    root = os.fsencode(folder)
    whole = (os.path.join(root, path) for path in paths)  # noqa: PTH118 - bytes
    return pool.map(whole, thumbnail=True, pixel_size=pixel_size)


def _after_decoding(file: FileRecord, found: Decoded) -> FileRecord:
    """Take over the id of the bytes that were read; a file that could not be read fails by itself."""
    if found.image_id is None:
        return replace(file, status="failed", reason=found.reason, image_id=None)
    return replace(file, image_id=found.image_id, bytes=found.bytes)


def _keep(found: Decoded, thumbnail: Callable[[str], Path]) -> Content:
    image_id = found.image_id or ""
    if found.thumbnail is not None and found.status == "usable":
        write_file(thumbnail(image_id), found.thumbnail, durable=False)
    size = (found.format, found.width, found.height, found.bytes)
    return Content(image_id, found.status, found.reason, *size, found.lasting)


def _settle(file: FileRecord, contents: Mapping[str, Content]) -> FileRecord:
    """A file is what its content is."""
    content = contents.get(file.image_id) if file.image_id is not None and file.status == "usable" else None
    if content is None or content.status == "usable":
        return file
    return replace(file, status=content.status, reason=content.reason)
