"""Folders that this user's homes share, and those that nobody else may write into."""

from __future__ import annotations

from pathlib import Path

import pytest

from concept_lib.caches import machine_cache, private_folder
from concept_lib.errors import ConceptError


def test_what_homes_share_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONCEPT_CACHE", str(tmp_path / "shared"))
    assert machine_cache() == tmp_path / "shared"
    monkeypatch.delenv("CONCEPT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert machine_cache().is_relative_to(tmp_path)


def test_a_private_folder_is_made_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "code"
    assert private_folder(folder) == folder
    assert private_folder(folder).stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_write_into_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConceptError, match="may be written by other users: set NUMBA_CACHE_DIR"):
        private_folder(tmp_path)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConceptError, match="may be written by other users"):
        private_folder(tmp_path)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConceptError, match=r"cannot keep compiled code in .*: set NUMBA_CACHE_DIR"):
        private_folder(tmp_path / "file" / "code")
