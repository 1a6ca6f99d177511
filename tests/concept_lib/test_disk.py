"""Room on a disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from concept_lib.disk import COPIES, LEAST_FREE, require_room
from concept_lib.errors import ConceptError
from concept_lib.storage import Home


def test_room_is_what_a_refresh_may_need_and_not_a_byte_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "not" / "there" / "yet")
    usage = shutil.disk_usage(tmp_path)
    asked: list[Path] = []

    def disk(folder: Path) -> object:
        asked.append(folder)
        return usage._replace(free=LEAST_FREE + COPIES * 1_000_000)

    monkeypatch.setattr(shutil, "disk_usage", disk)
    require_room(home)
    assert asked == [tmp_path]
    home.path.mkdir(parents=True)
    home.database.write_bytes(b"x" * 1_000_000)
    require_room(home)
    home.database.write_bytes(b"x" * 1_000_001)
    with pytest.raises(ConceptError, match=r"nearly full: 202 MB are free .* may need 202 MB"):
        require_room(home)
