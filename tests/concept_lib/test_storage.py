from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from concept_lib.errors import ConceptError
from concept_lib.lock import locked
from concept_lib.storage import (
    TEMPORARY_PREFIX,
    Contents,
    Home,
    canonical_json,
    write_file,
)


def contents(value: float = 1.0) -> Contents:
    return Contents(
        arrays={"vectors": np.full((3, 2), value, np.float32)},
        tables={"ids": pa.table({"image_id": ["a", "b", "c"]})},
        files={"note.txt": b"hello"},
        info={"dim": 2},
        counts={"n_embedded": 3},
    )


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(TEMPORARY_PREFIX)]


def test_a_failing_write_leaves_the_old_file_and_no_leftovers(tmp_path: Path) -> None:
    target = tmp_path / "kept.bin"
    write_file(target, b"old")

    def breaks(file) -> None:
        file.write(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        write_file(target, breaks)
    assert target.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_equal_contents_have_one_version_and_counts_do_not_matter(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.save_asset("clusters", contents())
    again = home.save_asset("clusters", Contents(**{**_fields(contents()), "counts": {}}))
    other = home.save_asset("clusters", contents(2.0))
    assert first.data_version == again.data_version != other.data_version
    assert np.array_equal(first.array("vectors"), np.ones((3, 2), np.float32))
    assert first.table("ids")["image_id"].to_pylist() == ["a", "b", "c"]
    assert first.file("note.txt").read_bytes() == b"hello"


def _fields(made: Contents) -> dict:
    return {name: getattr(made, name) for name in made.__slots__}


@pytest.mark.parametrize("name", ["vectors.npy", "ids.parquet", "note.txt"])
def test_one_flipped_bit_is_noticed_and_saving_again_mends_it(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path)
    stored = home.save_asset("clusters", contents())
    assert stored.is_whole()
    damaged = bytearray(stored.file(name).read_bytes())
    damaged[len(damaged) // 2] ^= 1
    stored.file(name).write_bytes(damaged)
    assert not stored.is_whole()
    assert home.save_asset("clusters", contents()).is_whole()


def test_a_damaged_description_is_no_asset(tmp_path: Path) -> None:
    home = Home(tmp_path)
    stored = home.save_asset("clusters", contents())
    stored.file("meta.json").write_bytes(
        stored.file("meta.json").read_bytes().replace(b'"dim":2', b'"dim":3')
    )
    assert home.load_asset("clusters", stored.data_version) is None
    assert home.save_asset("clusters", contents()).info == {"dim": 2}


def test_pruning_keeps_what_is_named_and_clears_what_a_killed_run_left(tmp_path: Path) -> None:
    home = Home(tmp_path)
    old, new = home.save_asset("clusters", contents()), home.save_asset("clusters", contents(2.0))
    (home.asset_folder("clusters") / f"{TEMPORARY_PREFIX}killed").mkdir()
    assert home.prune_assets({"clusters": {new.data_version}}) == 2
    assert not old.folder.exists()
    assert new.is_whole()


def test_json_is_canonical_and_refuses_what_json_cannot_say() -> None:
    assert canonical_json({"b": [1, 2], "a": None}) == canonical_json({"a": None, "b": [1, 2]})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})


def _hold(path: str, ready, release) -> None:
    with locked(Home(Path(path)), "the first one"):
        ready.set()
        release.wait(30)


def test_a_second_process_is_told_who_holds_the_home(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), ready, release))
    holder.start()
    try:
        assert ready.wait(30)
        with pytest.raises(ConceptError, match="the first one"), locked(Home(tmp_path), "me", timeout_s=0.1):
            pass
    finally:
        release.set()
        holder.join(30)
    with locked(Home(tmp_path), "me"):
        assert f"process {os.getpid()}" in (tmp_path / "refresh.holder").read_text()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(tmp_path), ready, release))
    holder.start()
    assert ready.wait(30)
    holder.kill()
    holder.join(30)
    deadline = time.monotonic() + 10
    with locked(Home(tmp_path), "me", timeout_s=deadline - time.monotonic()):
        pass
