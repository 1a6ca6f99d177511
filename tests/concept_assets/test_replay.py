"""Twenty random refreshes: the past replays to each of them, and the lost database comes back equal."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import numpy as np
import pytest
from PIL import Image

from concept_assets.oblivion import rebuild
from concept_lib.database.integrity import dangling_references
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

N_REFRESHES, N_FIRST, N_FILES = 20, 24, 200
FLAGS = {
    "vocabulary.source": "none",
    "tracking.enabled": "false",
    "clustering.min_concept_size": "4",
    "reduction.n_neighbors": "5",
}


class Folder:
    """Tiny pictures of five kinds that come, go and change their names; the vectors of all are known before."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random, self.root = random.Random(seed), root / "photos"
        self.root.mkdir()
        rng = np.random.default_rng(seed)
        vectors = np.eye(8)[rng.integers(0, 5, N_FILES)] + rng.normal(0, 0.1, (N_FILES, 8))
        self.file = root / "vectors.npz"
        np.savez(self.file, names=np.array([f"{number}" for number in range(N_FILES)]), vectors=vectors)
        self.fresh = list(range(N_FILES))
        self.add(N_FIRST)

    def add(self, n: int) -> None:
        for number in [self.fresh.pop() for _ in range(n)]:
            Image.new("RGB", (4, 4), (number, 90, 90)).save(self.root / f"{number}.png")

    def change(self) -> None:
        """Add, remove and move some; a moved file keeps its stem, by which its vector is found."""
        self.add(self.random.randrange(4))
        files = sorted(self.root.rglob("*.png"))
        for path in self.random.sample(files, self.random.randrange(4)):
            path.unlink()
        for path in self.random.sample(sorted(self.root.rglob("*.png")), self.random.randrange(1, 3)):
            moved = self.root / str(self.random.randrange(99)) / path.name
            moved.parent.mkdir(exist_ok=True)
            path.rename(moved)


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def tables(home: Home) -> dict[str, list[str]]:
    names = [name for (name,) in rows(home, "SELECT table_name FROM duckdb_tables()")]
    return {name: sorted(map(str, rows(home, f"SELECT * FROM {name}"))) for name in names}


@pytest.mark.slow
def test_the_past_replays_and_a_lost_database_comes_back_equal(run, tmp_path: Path) -> None:
    folder, home = Folder(tmp_path, seed=5), Home(tmp_path / "home")
    flags = {**FLAGS, "images.folder": str(folder.root), "embedding.embeddings": str(folder.file)}
    recorded: dict[int, list[tuple]] = {}
    for _ in range(N_REFRESHES):
        summary, _done = run(home, flags)
        members = rows(home, "SELECT image_id, concept_id FROM concept_images ORDER BY ALL")
        recorded[summary["refresh_id"]] = members
        folder.change()
    assert len(recorded) == N_REFRESHES
    assert len({str(members) for members in recorded.values()}) > N_REFRESHES / 2
    for refresh_id, members in recorded.items():
        assert rows(home, f"SELECT * FROM membership_at({refresh_id}) ORDER BY ALL") == members, refresh_id
    before = tables(home)
    assert {"refreshes", "curation", "image_moves", "concepts"} <= before.keys()
    home.database.unlink()
    assert rebuild(home, print) == N_REFRESHES
    assert tables(home) == before
    assert dangling_references(home.database) == {}

    home.database.chmod(0o644)
    home.database.write_bytes(b"not a database")
    assert rebuild(home, print) == N_REFRESHES
    assert tables(home) == before
    newest = max(
        home.asset_folder("clusters").glob("*/members.parquet"), key=lambda path: path.stat().st_mtime
    )
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.raises(ConceptError, match=r"clusters in .* damaged.* run: concept refresh"):
        rebuild(home, print)
    assert tables(home) == before, "the standing file stays"


def test_where_nothing_was_published_nothing_is_rebuilt(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match=r"nothing was published in .*; run: concept refresh"):
        rebuild(Home(tmp_path / "nowhere"), print)
    assert not (tmp_path / "nowhere").exists()
