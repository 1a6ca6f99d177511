"""A stamp of a folder that changes with its files, and costs no reading."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from concept_lib.errors import ConceptError
from concept_lib.images.catalog import scan
from concept_lib.images.walk import folder_stamp


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    (tmp_path / "photos" / "deep" / "a.jpg").write_bytes(b"\xff\xd8\xff a")
    (tmp_path / "photos" / "b.jpg").write_bytes(b"\xff\xd8\xff b")
    (tmp_path / "photos" / "link.jpg").symlink_to("b.jpg")
    return tmp_path / "photos"


def grow(folder: Path) -> None:
    with (folder / "b.jpg").open("ab") as file:
        file.write(b"more")


CHANGES: dict[str, Callable[[Path], object]] = {
    "added": lambda folder: (folder / "deep" / "c.jpg").write_bytes(b""),
    "removed": lambda folder: (folder / "b.jpg").unlink(),
    "renamed": lambda folder: (folder / "b.jpg").rename(folder / "c.jpg"),
    "grown": grow,
    "touched": lambda folder: os.utime(folder / "b.jpg", ns=(0, 1)),
    "replaced": lambda folder: (
        (folder / "new").write_bytes((folder / "b.jpg").read_bytes()),
        os.utime(folder / "new", ns=(0, (folder / "b.jpg").stat().st_mtime_ns)),
        (folder / "new").rename(folder / "b.jpg"),
    ),
    "lost target": lambda folder: (folder / "deep" / "a.jpg").rename(folder.parent / "a.jpg"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_every_change_shows(folder: Path, change: Callable[[Path], object]) -> None:
    before = folder_stamp(folder)
    assert folder_stamp(folder) == before
    change(folder)
    assert folder_stamp(folder) != before


def test_what_a_scan_does_not_enter_does_not_count(folder: Path) -> None:
    (folder / "home").mkdir()
    (folder / ".git").mkdir()
    before = folder_stamp(folder, exclude=folder / "home")
    (folder / "home" / "new.jpg").write_bytes(b"x")
    (folder / ".git" / "new.jpg").write_bytes(b"x")
    assert folder_stamp(folder, exclude=folder / "home") == before
    assert folder_stamp(folder) != before


def test_files_are_not_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("opened"))
    assert folder_stamp(folder)


def test_a_folder_that_is_none_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="no such folder"):
        folder_stamp(tmp_path / "nowhere")


def test_a_folder_whose_path_is_too_long_fails_by_itself(folder: Path) -> None:
    name, opened = "n" * 250, [os.open(folder, os.O_RDONLY)]
    for _ in range(20):
        os.mkdir(name, dir_fd=opened[-1])
        opened.append(os.open(name, os.O_RDONLY, dir_fd=opened[-1]))
    try:
        found = scan(folder, max_file_bytes=1000, exclude=folder.parent)
        assert [record.reason for record in found.files if record.status == "failed"] == [
            "folder cannot be read: File name too long"
        ]
        assert folder_stamp(folder, exclude=folder.parent)
    finally:
        for parent in reversed(opened[:-1]):
            os.rmdir(name, dir_fd=parent)
        for descriptor in opened:
            os.close(descriptor)
