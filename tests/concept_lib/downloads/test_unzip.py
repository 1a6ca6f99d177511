"""Pictures come out of an archive; nothing else does, and nothing leaves the folder."""

from __future__ import annotations

import contextlib
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from concept_lib.downloads import unzip
from concept_lib.downloads.unzip import unzip_pictures
from concept_lib.errors import ConceptError

PICTURES = {f"{n:02d}.jpg": random.Random(n).randbytes(3000 + n) for n in range(10)}


def zipped(file: Path, members: Mapping[str, bytes], **kind: int) -> Path:
    with zipfile.ZipFile(file, "w", **kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def refused(archive: Path) -> str:
    before = files(archive.parent)
    with pytest.raises(ConceptError) as caught:
        unzip_pictures(archive, archive.parent / "deep" / "photos")
    assert str(caught.value).startswith(f"{archive}: ")
    assert str(caught.value).isprintable()
    assert files(archive.parent) == before
    return str(caught.value)


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pictures_alone_come_out(tmp_path: Path, kind: int) -> None:
    wanted = PICTURES | {"more/a.PNG": b"a", "more/b/c.webp": b"", "./d.jpeg": b"d", "größe 1:2.jpg": b"e"}
    others = {"read.me": b"x", "run.sh": b"x", "e/": b"", "__MACOSX/._a.jpg": b"x", ".hidden/a.jpg": b"x"}
    archive = zipped(tmp_path / "a.zip", wanted | others, compression=kind)
    seen: list[tuple[int, int]] = []
    n = unzip_pictures(archive, tmp_path / "photos", progress=lambda *numbers: seen.append(numbers))
    assert n == len(wanted)
    assert seen == [(done, n) for done in range(1, n + 1)]
    assert files(tmp_path / "photos") == {name.removeprefix("./"): data for name, data in wanted.items()}
    assert not any(path.stat().st_mode & 0o111 for path in (tmp_path / "photos").glob("*.jpg"))


@pytest.mark.parametrize(
    "name",
    [
        *("../x.jpg", "a/../../x.jpg", "a/..", "..", "../../../../../../tmp/x.jpg", "./../x.jpg"),
        *(
            "/etc/x.jpg",
            "//host/x.jpg",
            "C:/x.jpg",
            "C:x.jpg",
            "..\\x.jpg",
            "\\x.jpg",
            "a\\b.jpg",
            "C:\\x.jpg",
        ),
        *("a\0.jpg", "../x\0.jpg", "../no picture", "../"),
    ],
)
def test_names_that_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    archive = zipped(tmp_path / "a.zip", PICTURES | {"placeholder": b"x"})
    member = zipfile.ZipInfo("placeholder")
    member.filename = member.orig_filename = name
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(member, b"evil")
    assert "nothing unpacked" in refused(archive)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.sampled_from(["..", ".", "a", "b", "", "~", "C:", "...", " ", "\\", "con", "é"]), max_size=6
    )
)
def test_whatever_the_name_nothing_leaves_the_folder(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    root = tmp_path_factory.mktemp("z")
    member = zipfile.ZipInfo("x")
    member.filename = "/".join([*parts, "x.jpg"])
    with zipfile.ZipFile(root / "a.zip", "w") as opened:
        opened.writestr(member, b"data")
    try:
        unzip_pictures(root / "a.zip", root / "deep" / "photos")
    except ConceptError:
        pass
    else:
        assert set(files(root / "deep" / "photos").values()) == {b"data"}
    outside = [path for path in files(root) if not path.startswith("deep/photos/")]
    assert outside == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("link.jpg")
    member.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("a.jpg", b"a")
        opened.writestr(member, b"/etc/passwd")
    assert "is a link or a device" in refused(tmp_path / "a.zip")


def test_what_cannot_be_unpacked(tmp_path: Path) -> None:
    assert "compressed in an unusual way" in refused(
        zipped(tmp_path / "bz2.zip", PICTURES, compression=zipfile.ZIP_BZIP2)
    )
    data = bytearray(zipped(tmp_path / "locked.zip", {"a.jpg": b"a"}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(data)
    assert "is encrypted" in refused(tmp_path / "locked.zip")
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as opened:
        opened.writestr("a.jpg", b"a")
        opened.writestr("./a.jpg", b"b")
    assert "'a.jpg' occurs twice" in refused(tmp_path / "twice.zip")
    assert "holds no pictures" in refused(zipped(tmp_path / "none.zip", {"read.me": b"x"}))
    (tmp_path / "text.zip").write_text("hello")
    assert "is damaged" in refused(tmp_path / "text.zip")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zipped(tmp_path / "a.zip", PICTURES)
    with monkeypatch.context() as patch:
        patch.setattr(unzip, "MAX_PICTURES", 9)
        assert "10 pictures" in refused(archive)
    with monkeypatch.context() as patch:
        patch.setattr(unzip, "MAX_BYTES", 30_000)
        assert "nothing unpacked" in refused(archive)
    with monkeypatch.context() as patch:
        patch.setattr(unzip, "MAX_DIRECTORY_BYTES", 100)
        assert "is damaged" in refused(archive)
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=30_000))
        with pytest.raises(ConceptError, match="the pictures take 0 MB and 0 MB are free; make room"):
            unzip_pictures(archive, tmp_path / "photos")
    assert unzip_pictures(archive, tmp_path / "photos") == 10


def test_a_bomb_that_lies_about_its_size(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {"a.jpg": b"\0" * 10_000_000}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(mark) + at, 100)
    archive.write_bytes(data)
    assert "is damaged" in refused(archive)


def test_unpacking_goes_on_where_it_ended(tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    archive, photos = zipped(tmp_path / "a.zip", PICTURES), tmp_path / "photos"
    with pytest.raises(KeyboardInterrupt):
        unzip_pictures(archive, photos, progress=interrupt)
    assert files(photos) == dict(list(PICTURES.items())[:4])
    (photos / "01.jpg").write_bytes(bytes(len(PICTURES["01.jpg"])))  # as a power cut would leave it
    (photos / "02.jpg").unlink()
    (photos / "02.jpg").symlink_to(archive)
    kept = (photos / "00.jpg").stat()
    assert unzip_pictures(archive, photos) == 10
    assert files(photos) == PICTURES
    assert not (photos / "02.jpg").is_symlink()
    assert archive.is_file()
    assert (photos / "00.jpg").stat().st_ino == kept.st_ino


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=5))
def test_a_damaged_archive(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    root = tmp_path_factory.mktemp("z")
    archive = zipped(
        root / "a.zip", {"a.jpg": b"a" * 50, "b/c.jpg": b"b" * 40}, compression=zipfile.ZIP_DEFLATED
    )
    data = bytearray(archive.read_bytes())
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    archive.write_bytes(data)
    with contextlib.suppress(ConceptError):
        unzip_pictures(archive, root / "deep" / "photos")
    assert [path for path in files(root) if not path.startswith("deep/photos/")] == ["a.zip"]
