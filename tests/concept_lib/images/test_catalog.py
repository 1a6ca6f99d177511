from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from concept_lib.errors import ConceptError
from concept_lib.images.catalog import Catalog, FileRecord, folder_version, scan
from concept_lib.images.files import readable_path

JPEG = b"\xff\xd8\xff\xe0 as far as the scan knows"
LIMIT = 1_000_000


def by_path(catalog: Catalog) -> dict[bytes, FileRecord]:
    assert [file.path_bytes for file in catalog.files] == sorted(file.path_bytes for file in catalog.files)
    records = {file.path_bytes: file for file in catalog.files}
    assert len(records) == len(catalog.files)
    for record in catalog.files:
        assert (record.status == "usable") == (record.reason is None)
        assert record.status != "usable" or record.image_id is not None
    return records


def look(folder: Path, **known: object) -> dict[bytes, FileRecord]:
    return by_path(scan(folder, max_file_bytes=LIMIT, **known))


def write(file: Path, data: bytes = JPEG) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


def test_a_picture_is_known_by_its_name_or_by_its_first_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a" / "UPPER.JPG")
    write(tmp_path / "no_extension")
    write(tmp_path / "photo.HEIC", b"whatever")
    write(tmp_path / ".hidden.png", b"text")
    write(tmp_path / "._a.jpg", b"resource fork of macOS")
    write(tmp_path / ".git" / "object.jpg")
    write(tmp_path / "notes.txt", b"BM, he said, and left it at that")
    write(tmp_path / "empty.txt", b"")
    catalog = scan(tmp_path, max_file_bytes=LIMIT)
    assert set(by_path(catalog)) == {b"a/UPPER.JPG", b"no_extension", b"photo.HEIC", b".hidden.png"}
    assert catalog.n_other == 3
    assert by_path(catalog)[b"no_extension"].image_id == hashlib.sha256(JPEG).hexdigest()
    assert by_path(catalog)[b"no_extension"].bytes == len(JPEG)


def test_what_is_no_regular_file_is_skipped_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path / "empty.jpg", b"")
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.truncate(3 << 30)
    found = look(tmp_path)
    assert {path: (record.status, record.reason) for path, record in found.items()} == {
        b"empty.jpg": ("failed", "empty file"),
        b"pipe.jpg": ("skipped", "not a regular file but a named pipe"),
        b"sparse.jpg": ("skipped", "over the 1 MB limit"),
    }
    assert found[b"sparse.jpg"].bytes == 3 << 30


def test_links_stay_inside_and_loops_end(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.jpg")
    folder = tmp_path / "folder"
    write(folder / "deep" / "real.jpg")
    (folder / "alias.jpg").symlink_to("deep/real.jpg")
    (folder / "alias_without_extension").symlink_to(folder / "alias.jpg")
    (folder / "escape.jpg").symlink_to(outside)
    (folder / "escape_folder").symlink_to(outside.parent)
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "deep" / "up").symlink_to("..")
    (folder / "self").symlink_to(".")
    root = tmp_path / "root"
    root.symlink_to(folder)
    found = look(root)
    assert {path: record.status for path, record in found.items()} == {
        b"alias.jpg": "usable",
        b"alias_without_extension": "usable",
        b"dangling.jpg": "failed",
        b"deep/real.jpg": "usable",
        b"escape.jpg": "skipped",
        b"escape_folder": "skipped",
        b"loop.jpg": "failed",
    }
    assert found[b"alias.jpg"].image_id == found[b"deep/real.jpg"].image_id
    assert found[b"escape.jpg"].reason == found[b"escape_folder"].reason == "link out of the folder"
    assert found[b"escape.jpg"].image_id is None
    assert look(folder) == found


def test_a_sibling_whose_name_begins_alike_is_outside(tmp_path: Path) -> None:
    outside = write(tmp_path / "photos2" / "a.jpg")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").symlink_to(outside)
    assert look(tmp_path / "photos")[b"a.jpg"].status == "skipped"


def test_a_known_file_keeps_its_hash_until_size_time_or_inode_change(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jpg")
    first = look(tmp_path)
    marked = {b"a.jpg": replace(first[b"a.jpg"], image_id="0" * 64)}
    assert look(tmp_path, known=marked) == marked
    os.utime(file, ns=(1, 1))
    touched = look(tmp_path, known=marked)
    assert touched[b"a.jpg"].image_id == first[b"a.jpg"].image_id
    write(file, JPEG + b"!")
    assert look(tmp_path, known=touched)[b"a.jpg"].image_id == hashlib.sha256(JPEG + b"!").hexdigest()
    unread = {b"a.jpg": replace(look(tmp_path)[b"a.jpg"], status="failed", reason="once", image_id=None)}
    assert look(tmp_path, known=unread)[b"a.jpg"].status == "usable"
    smaller_limit = scan(tmp_path, max_file_bytes=5, known=look(tmp_path))
    assert smaller_limit.files[0].status == "skipped"


def test_the_version_follows_paths_contents_and_statuses_only(tmp_path: Path) -> None:
    def version() -> str:
        return folder_version(scan(tmp_path, max_file_bytes=LIMIT))

    file = write(tmp_path / "a.jpg")
    before = version()
    os.utime(file, ns=(5, 5))
    write(tmp_path / "readme.txt", b"not a picture")
    assert version() == before
    write(tmp_path / "b.jpg")
    with_copy = version()
    (tmp_path / "b.jpg").rename(tmp_path / "c.jpg")
    renamed = version()
    write(tmp_path / "c.jpg", b"")
    assert len({before, with_copy, renamed, version()}) == 4
    (tmp_path / "c.jpg").unlink()
    assert version() == before


def test_a_forgotten_content_is_skipped_under_any_name_until_it_is_let_in_again(tmp_path: Path) -> None:
    for name in ("a.jpg", "deep/copy.png"):
        write(tmp_path / name)
    write(tmp_path / "other.jpg", JPEG + b"!")
    image_id = hashlib.sha256(JPEG).hexdigest()
    plain = scan(tmp_path, max_file_bytes=LIMIT)
    known = by_path(plain)
    for seen in ({}, known):
        found = scan(tmp_path, max_file_bytes=LIMIT, known=seen, forgotten={image_id})
        told = {path: (file.status, file.reason) for path, file in by_path(found).items()}
        skipped = ("skipped", "forgotten")
        assert told == {b"a.jpg": skipped, b"deep/copy.png": skipped, b"other.jpg": ("usable", None)}
        assert by_path(found)[b"a.jpg"].image_id == image_id
    assert folder_version(found) != folder_version(plain)
    assert look(tmp_path, known=by_path(found)) == known


def test_names_are_shown_safely(tmp_path: Path) -> None:
    names = [
        b"latin1_\xe9.jpg",
        b"new\nline.jpg",
        "图像.jpg".encode(),
        "\u202egpj.exe.jpg".encode(),
        b"\x1b[2J.jpg",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(JPEG)
    found = look(tmp_path)
    assert {path: found[path].path for path in names} == {
        names[0]: r"latin1_\xe9.jpg",
        names[1]: r"new\nline.jpg",
        names[2]: "图像.jpg",
        names[3]: r"\u202egpj.exe.jpg",
        names[4]: r"\x1b[2J.jpg",
    }
    assert readable_path("👨\u200d👩.jpg".encode()) == "👨\u200d👩.jpg"


def test_folders_may_nest_deeper_than_python_recurses(tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() + 100
    script = (
        f"import os, sys\nos.chdir(sys.argv[1])\nfor _ in range({depth}):\n    os.mkdir('d'); os.chdir('d')\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True)
    write(tmp_path / "top.jpg")
    write(tmp_path.joinpath(*["d"] * depth) / "deep.jpg")
    try:
        assert [record.status for record in look(tmp_path).values()] == ["usable", "usable"]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)  # pytest's own cleaning recurses


def test_an_unreadable_folder_inside_fails_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "good.jpg")
    write(tmp_path / "locked" / "bad.jpg")
    real_scandir = os.scandir

    def scandir(path: bytes) -> object:
        if path.endswith(b"locked"):
            raise PermissionError(13, "Permission denied", path)
        return real_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = look(tmp_path)
    assert found[b"good.jpg"].status == "usable"
    assert found[b"locked"].reason == "folder cannot be read: Permission denied"


def test_a_folder_that_is_none_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="no such folder"):
        scan(tmp_path / "missing", max_file_bytes=LIMIT)
    with pytest.raises(ConceptError, match="not a folder"):
        scan(write(tmp_path / "a.jpg"), max_file_bytes=LIMIT)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConceptError, match="cannot be read"):
        scan(tmp_path / "loop", max_file_bytes=LIMIT)


def test_progress_counts_every_file(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.txt", "c/d.png"):
        write(tmp_path / name)
    seen: list[tuple[int, int]] = []
    scan(tmp_path, max_file_bytes=LIMIT, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_real_photos(shared: Path) -> None:
    catalog = scan(shared / "photos", max_file_bytes=LIMIT)
    assert Counter(record.status for record in catalog.files) == {"usable": 1743}
    assert catalog.n_other == 1
    for record in catalog.files[::100]:
        data = (shared / "photos" / record.path).read_bytes()
        assert (record.image_id, record.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
