"""Cleaning frees what no kept state needs, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from concept_assets.oblivion import clean
from concept_lib.database import kept
from concept_lib.embedding.cache import VectorCache
from concept_lib.errors import ConceptError
from concept_lib.images.contents import usable_paths
from concept_lib.storage import Home


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def everything(home: Home) -> dict[str, bytes]:
    files = (path for path in home.path.rglob("*") if path.is_file() and "lock" not in path.name)
    return {home.relative(path): path.read_bytes() for path in files if path.suffix != ".holder"}


def test_what_no_kept_state_needs_goes_and_the_rest_stays(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in sorted(photos(own_home).rglob("*.jpg"))[:2]:
        path.unlink()
    run(own_home, {"reduction.refit": "always"})  # the standing fit is kept, however old
    assert [part.n for part in clean(own_home, print)] == [0] * 5, "an earlier state needs them still"

    monkeypatch.setattr(kept, "KEEP_REFRESHES", 1)
    [folder] = own_home.vector_caches.iterdir()
    VectorCache(own_home.vectors("other")).append(["a"], np.ones((1, 4), np.float32))
    (own_home.asset_folder("labels") / ".tmp-killed").mkdir()
    (own_home.asset_folder("labels") / ".tmp-killed" / "half.npy").write_bytes(b"12345")
    (own_home.path / ".tmp-concepts.duckdb").write_bytes(b"123")
    (own_home.history(9)).mkdir()
    (own_home.history(9) / "meta.json").write_bytes(b"{}")
    (folder / "half.npy").write_bytes(b"1234567")
    before = everything(own_home)
    told = {part.what: part for part in clean(own_home, print, dry_run=True)}
    assert everything(own_home) == before
    assert {part.what: part for part in clean(own_home, print)} == told

    leftovers = told["leftovers of runs that were ended"]
    assert (leftovers.n, leftovers.n_bytes) == (4, 5 + 3 + 2 + 7)
    assert told["thumbnails"].n == told["cached vectors"].n == 2
    assert told["vector caches of other encoders"].n == 2
    assert told["stored versions of assets"].n > 0
    after = everything(own_home)
    assert sum(map(len, before.values())) > sum(map(len, after.values()))
    images = sorted(usable_paths(own_home.load_asset("images", version(own_home, "images")).table("files")))
    assert sorted(VectorCache(folder).ids) == images
    assert sorted(path.stem for path in own_home.thumbnails.rglob("*.jpg")) == images
    assert {path.parent.name for path in own_home.assets.glob("*/*/meta.json")} == {
        version(own_home, path.name) for path in own_home.assets.iterdir() if path.name != "concept_database"
    }
    assert [part.n for part in clean(own_home, print)] == [0] * 5
    assert run(own_home)[0]["mode"] == "unchanged"


def version(home: Home, asset: str) -> str:
    return kept.states(home)[-1].data_versions[asset]["data_version"]


def test_a_damaged_state_is_not_cleaned(own_home: Home) -> None:
    file = own_home.asset_folder("images") / version(own_home, "images") / "files.parquet"
    file.write_bytes(file.read_bytes()[:-1])
    before = everything(own_home)
    with pytest.raises(ConceptError, match="run: concept refresh"):
        clean(own_home, print)
    assert everything(own_home) == before


def test_a_home_without_a_refresh_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="nothing was published"):
        clean(Home(tmp_path / "nowhere"), print)
    assert not (tmp_path / "nowhere").exists()
