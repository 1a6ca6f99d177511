"""Room on a disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from concept_lib.disk import SPARE_BYTES, check_space
from concept_lib.errors import ConceptError


def test_room_is_what_is_free_and_not_a_byte_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=SPARE_BYTES + 1_000_000))
    check_space(tmp_path, 1_000_000, "a note")
    with pytest.raises(ConceptError, match="a note needs 65 MB and 65 MB are free"):
        check_space(tmp_path, 1_000_001, "a note")
