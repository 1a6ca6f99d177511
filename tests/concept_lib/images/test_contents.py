from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from concept_lib.images.catalog import Catalog, scan
from concept_lib.images.contents import decode_new, known_contents, usable_paths
from concept_lib.images.decode import Decoded
from concept_lib.images.pixels import PixelStore
from concept_lib.images.scan_cache import read_scan, write_scan


class FakePool:
    """Decodes whatever begins with `ok`, and remembers the paths."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def map(self, paths: Iterable[bytes], *, thumbnail: bool, pixel_size: int | None) -> Iterator[Decoded]:
        assert thumbnail
        for path in paths:
            self.seen.append(path)
            try:
                data = Path(os.fsdecode(path)).read_bytes()
            except FileNotFoundError:
                yield Decoded(path, "failed", "cannot be read: it is gone")
                continue
            image_id = hashlib.sha256(data).hexdigest()
            if data.startswith(b"ok"):
                pixels = (
                    None if pixel_size is None else np.full((pixel_size, pixel_size, 3), data[-1], np.uint8)
                )
                yield Decoded(
                    path, "usable", None, image_id, len(data), "JPEG", 4, 3, b"thumb " + data, pixels
                )
            else:
                yield Decoded(path, "failed", "not a picture", image_id, len(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in {"a.jpg": b"ok 1", "b.jpg": b"ok 2", "copy.jpg": b"ok 1", "bad.jpg": b"no"}.items():
        (folder / name).write_bytes(data)
    return folder


def catalog_of(folder: Path) -> Catalog:
    return scan(folder, max_file_bytes=1000)


def thumbnails(tmp_path: Path):
    return lambda image_id: tmp_path / "thumbs" / image_id


def test_one_decoding_makes_thumbnail_and_pixels(folder: Path, tmp_path: Path) -> None:
    pool = FakePool()
    with PixelStore(tmp_path / "pixels") as pixels:
        found = decode_new(
            folder, catalog_of(folder), {}, thumbnails(tmp_path), pool, pixels=pixels, pixel_size=2
        )
        usable = [content.image_id for content in found.contents.values() if content.status == "usable"]
        taken = {image_id: pixels.take(image_id) for image_id in usable}
    assert len(pool.seen) == 3
    assert sorted(int(array[0, 0, 0]) for array in taken.values()) == [ord("1"), ord("2")]
    assert all((tmp_path / "thumbs" / image_id).is_file() for image_id in usable)


def test_each_content_is_decoded_once_and_copies_share_it(folder: Path, tmp_path: Path) -> None:
    pool = FakePool()
    found = decode_new(folder, catalog_of(folder), {}, thumbnails(tmp_path), pool)
    assert found.n_decoded == len(pool.seen) == 3
    assert {file.path: file.status for file in found.files} == {
        "a.jpg": "usable",
        "b.jpg": "usable",
        "bad.jpg": "failed",
        "copy.jpg": "usable",
    }
    tables = found.tables()
    paths = usable_paths(tables["files"])
    assert sorted(paths.values()) == [[b"a.jpg", b"copy.jpg"], [b"b.jpg"]]
    for image_id in paths:
        assert thumbnails(tmp_path)(image_id).read_bytes().startswith(b"thumb ok")


def test_what_is_known_is_not_decoded_again_unless_its_thumbnail_went(folder: Path, tmp_path: Path) -> None:
    first = decode_new(folder, catalog_of(folder), {}, thumbnails(tmp_path), FakePool())
    known = known_contents(first.tables()["contents"])
    (folder / "new.jpg").write_bytes(b"ok 3")
    thumbnails(tmp_path)(hashlib.sha256(b"ok 2").hexdigest()).unlink()
    pool = FakePool()
    found = decode_new(folder, catalog_of(folder), known, thumbnails(tmp_path), pool)
    assert sorted(Path(os.fsdecode(path)).name for path in pool.seen) == ["b.jpg", "new.jpg"]
    assert len(found.contents) == 4


def test_a_file_that_changed_after_the_scan_is_recorded_by_what_was_decoded(
    folder: Path, tmp_path: Path
) -> None:
    catalog = catalog_of(folder)
    (folder / "b.jpg").write_bytes(b"ok changed")
    found = decode_new(folder, catalog, {}, thumbnails(tmp_path), FakePool())
    [changed] = [file for file in found.files if file.path == "b.jpg"]
    assert changed.image_id == hashlib.sha256(b"ok changed").hexdigest()
    assert changed.image_id in found.contents


def test_a_copy_stands_in_for_a_file_that_vanished(folder: Path, tmp_path: Path) -> None:
    catalog = catalog_of(folder)
    (folder / "a.jpg").unlink()
    found = decode_new(folder, catalog, {}, thumbnails(tmp_path), FakePool())
    files = {file.path: file for file in found.files}
    assert (files["a.jpg"].status, files["a.jpg"].reason) == ("failed", "cannot be read: it is gone")
    assert files["copy.jpg"].status == "usable"


def test_the_scan_is_remembered_for_its_own_folder_alone(folder: Path, tmp_path: Path) -> None:
    catalog = catalog_of(folder)
    file = tmp_path / "scan.parquet"
    write_scan(file, folder, catalog)
    assert read_scan(file, folder) == {record.path_bytes: record for record in catalog.files}
    assert read_scan(file, tmp_path) == {}
    file.write_bytes(file.read_bytes()[:-20])
    assert read_scan(file, folder) == {}
    assert read_scan(tmp_path / "none.parquet", folder) == {}
