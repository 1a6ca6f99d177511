"""A file comes whole over a line that breaks, a server that hangs, and a file that changes."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from concept_lib.downloads import fetch as download
from concept_lib.downloads.fetch import fetch, filling
from concept_lib.errors import ConceptError

DATA = random.Random(1).randbytes(700_000)
OTHER = random.Random(2).randbytes(650_000)


@pytest.fixture(autouse=True)
def _one_file(site: Any) -> None:
    site.files["/f.zip"] = DATA


def got(site: Any, folder: Path, **options: Any) -> bytes:
    digest = fetch(f"{site.url}/f.zip", folder / "f.zip", pause_s=0, **options)
    data = (folder / "f.zip").read_bytes()
    assert digest == hashlib.sha256(data).hexdigest()
    assert (folder / "f.zip.sha256").read_text() == f"{digest}  f.zip\n"
    assert sorted(path.name for path in folder.iterdir()) == ["f.zip", "f.zip.sha256"]
    return data


def broken(site: Any, folder: Path, **options: Any) -> str:
    with pytest.raises(ConceptError) as caught:
        fetch(f"{site.url}/f.zip", folder / "f.zip", pause_s=0, **options)
    assert not (folder / "f.zip").exists()
    assert str(caught.value).isprintable()
    return str(caught.value)


def ranges(site: Any) -> list[str | None]:
    return [wanted for _, wanted in site.asked]


def test_a_file_comes_whole_and_only_once(site: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    assert got(site, tmp_path, progress=lambda *numbers: seen.append(numbers)) == DATA
    assert [total for _, total in seen] == [len(DATA)] * len(seen)
    done = [done for done, _ in seen]
    assert done == sorted(done)
    assert done[-1] == len(DATA)
    assert got(site, tmp_path) == DATA
    assert ranges(site) == [None]


def test_a_line_that_breaks(site: Any, tmp_path: Path) -> None:
    site.cuts = [300_000, 0, 0, 1, 0, 200_000]
    assert got(site, tmp_path) == DATA
    starts = [None, *["bytes=300000-"] * 3, *["bytes=300001-"] * 2, "bytes=500001-"]
    assert ranges(site) == starts


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(1, 400_000), max_size=6), validator=st.sampled_from(["ETag", "Last-Modified"])
)
def test_wherever_it_breaks(site: Any, tmp_path_factory: Any, cuts: list[int], validator: str) -> None:
    site.headers = {validator: "Wed, 01 Jan 2025 00:00:00 GMT"}
    site.cuts = list(cuts)
    site.asked.clear()
    assert got(site, tmp_path_factory.mktemp("d")) == DATA
    assert ranges(site)[1:] == [
        f"bytes={sum(cuts[:n])}-" for n in range(1, len(cuts) + 1) if sum(cuts[:n]) < len(DATA)
    ]


@pytest.mark.parametrize("headers", [{"ETag": '"1"'}, {"ETag": 'W/"1"'}, {}])
def test_a_server_that_ignores_ranges_or_cannot_tell_what_it_has(
    site: Any, tmp_path: Path, headers: dict[str, str]
) -> None:
    site.takes_ranges, site.headers, site.cuts = False, headers, [300_000]
    assert got(site, tmp_path) == DATA
    assert len(site.asked) == 2
    assert (ranges(site)[1] is not None) == (headers == {"ETag": '"1"'})


@pytest.mark.parametrize("minds_if_range", [True, False])
def test_a_file_that_changes_between_tries(site: Any, tmp_path: Path, minds_if_range: bool) -> None:
    site.cuts = [300_000, 0, 0, 0]
    assert "the first 0.3 MB are kept" in broken(site, tmp_path)
    site.files["/f.zip"], site.headers, site.minds_if_range = OTHER, {"ETag": '"2"'}, minds_if_range
    assert got(site, tmp_path) == OTHER


def test_a_file_that_became_shorter(site: Any, tmp_path: Path) -> None:
    site.cuts = [300_000, 0, 0, 0]
    broken(site, tmp_path)
    site.files["/f.zip"], site.minds_if_range = OTHER[:1000], False
    assert got(site, tmp_path) == OTHER[:1000]


def test_a_change_that_meets_a_full_disk(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site.cuts = [300_000, 0, 0, 0]
    broken(site, tmp_path)
    site.files["/f.zip"], site.headers = OTHER, {"ETag": '"2"'}
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        assert "1 MB are to come and 0 MB are free" in broken(site, tmp_path)
    assert got(site, tmp_path) == OTHER


def test_the_part_of_another_address_is_not_used(site: Any, tmp_path: Path) -> None:
    site.cuts = [300_000, 0, 0, 0]
    broken(site, tmp_path)
    site.files["/mirror/f.zip"] = OTHER
    fetch(f"{site.url}/mirror/f.zip", tmp_path / "f.zip", pause_s=0)
    assert (tmp_path / "f.zip").read_bytes() == OTHER


@pytest.mark.parametrize("cut", [0, 300_000])
def test_a_server_that_hangs(site: Any, tmp_path: Path, cut: int) -> None:
    site.cuts, site.hangs = [cut, 0, 0, 0], True
    said = broken(site, tmp_path, silence_s=0.2)
    assert "no answer for 0.2 s" in said
    assert ("0.3 MB are kept" in said) == (cut > 0)
    site.cuts = []
    assert got(site, tmp_path) == DATA
    assert ranges(site)[-1] == (f"bytes={cut}-" if cut else None)


def test_an_interruption_leaves_what_came(site: Any, tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done > 200_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(f"{site.url}/f.zip", tmp_path / "f.zip", progress=interrupt)
    kept = (tmp_path / "f.zip.part").read_bytes()
    assert len(kept) > 200_000
    assert DATA.startswith(kept)
    assert got(site, tmp_path) == DATA
    assert ranges(site)[1:] == ([f"bytes={len(kept)}-"] if len(kept) < len(DATA) else [])


def test_a_death_before_the_last_step(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "file_digest", die)
        with pytest.raises(KeyboardInterrupt):
            fetch(f"{site.url}/f.zip", tmp_path / "f.zip")
    assert got(site, tmp_path) == DATA
    assert ranges(site) == [None]


def test_a_size_that_is_not_told(site: Any, tmp_path: Path) -> None:
    site.is_chunked, site.cuts = True, [300_000]
    assert got(site, tmp_path) == DATA


def test_answers_that_are_no_file(site: Any, tmp_path: Path) -> None:
    site.status = [503, 429]
    assert got(site, tmp_path / "a") == DATA
    site.status = [404]
    assert "the server answers 404 Not Found; give the address of a mirror" in broken(site, tmp_path / "b")
    assert len(site.asked) == 4
    site.status = [500] * 3
    assert "500 Internal Server Error; try again later" in broken(site, tmp_path / "b")


@pytest.mark.parametrize("elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/f", "data:,abc"])
def test_no_redirection_leads_away_from_the_web(site: Any, tmp_path: Path, elsewhere: str) -> None:
    site.status, site.headers = [302] * 3, {"Location": elsewhere}
    broken(site, tmp_path)


def test_a_redirection_is_followed_with_the_range(site: Any, tmp_path: Path) -> None:
    site.cuts = [300_000]
    site.status = [200, 302]
    site.headers |= {"Location": f"{site.url}/f.zip"}
    assert got(site, tmp_path) == DATA
    assert ranges(site) == [None, "bytes=300000-", "bytes=300000-"]


def test_no_server_and_no_web_address(site: Any, tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="Connection refused; try again later"):
        fetch("http://127.0.0.1:1/f.zip", tmp_path / "f.zip", pause_s=0)
    for url in ("file:///etc/hostname", "ftp://127.0.0.1/f", "f.zip"):
        with pytest.raises(ConceptError, match="over http or https"):
            fetch(url, tmp_path / "f.zip")
    assert not (tmp_path / "f.zip").exists()


def test_the_recorded_checksum_is_checked(site: Any, tmp_path: Path) -> None:
    got(site, tmp_path)
    (tmp_path / "f.zip").write_bytes(DATA[:-1] + b"x")
    with pytest.raises(ConceptError, match=r"f\.zip: is not the file whose checksum f\.zip\.sha256 holds"):
        got(site, tmp_path)
    (tmp_path / "f.zip").unlink()
    assert got(site, tmp_path) == DATA
    (tmp_path / "f.zip").unlink()
    site.files["/f.zip"] = OTHER
    assert "remove that record if the server's file may have changed" in broken(site, tmp_path)
    (tmp_path / "f.zip.sha256").unlink()
    assert got(site, tmp_path) == OTHER


def test_a_file_that_somebody_put_there_is_taken(site: Any, tmp_path: Path) -> None:
    (tmp_path / "f.zip").write_bytes(OTHER)
    assert got(site, tmp_path) == OTHER
    assert not site.asked


def test_a_folder_is_filled_by_one_at_a_time(tmp_path: Path) -> None:
    with (
        filling(tmp_path),
        pytest.raises(ConceptError, match="another download is filling it"),
        filling(tmp_path),
    ):
        pass
    with filling(tmp_path):
        pass
