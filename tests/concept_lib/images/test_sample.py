"""The rendered sample gallery: same seed, same picture; every kind, every size; files and labels."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from concept_lib.errors import ConceptError
from concept_lib.images.sample import KINDS, render, write_gallery

DIGEST_SCRIPT = """
import hashlib
from concept_lib.images.sample import KINDS, render
digest = hashlib.sha256()
for kind in KINDS:
    digest.update(render(kind, 11, 64).tobytes())
print(digest.hexdigest())
"""


def thumbnail(kind: str, seed: int, size: int = 256) -> np.ndarray:
    """Picture shrunk to 16 x 16, as floats."""
    small = render(kind, seed, size).resize((16, 16), Image.Resampling.BOX)
    return np.asarray(small, float)


def test_kinds_are_24_plain_nouns():
    assert len(KINDS) == len(set(KINDS)) == 24
    assert all(kind.isalpha() and kind.islower() for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_renders_at_every_common_size(kind):
    for size in (64, 96, 256):
        picture = render(kind, 5, size)
        assert picture.mode == "RGB"
        assert max(picture.size) == size
        assert min(picture.size) in {size, round(size * 0.75)}
        assert np.asarray(picture).std() > 8, "the picture is nearly blank"


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_pixels_other_seed_other_picture(kind):
    first = render(kind, 3, 96)
    assert first.tobytes() == render(kind, 3, 96).tobytes()
    pictures = [thumbnail(kind, seed, 96) for seed in range(6)]
    assert all(np.abs(a - b).mean() > 2 for a, b in combinations(pictures, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_small_picture_shows_the_same_composition(kind):
    difference = np.abs(thumbnail(kind, 8, 256) - thumbnail(kind, 8, 64)).mean()
    others = [np.abs(thumbnail(kind, 8, 256) - thumbnail(kind, seed, 64)).mean() for seed in (1, 2)]
    assert difference < 6  # the thinnest lines and dots keep a pixel
    assert difference < min(others) / 2


def test_other_process_renders_the_same_pixels():
    """Python salts str hashes in each process; the pictures must not depend on it."""
    digest = hashlib.sha256()
    for kind in KINDS:
        digest.update(render(kind, 11, 64).tobytes())
    for salt in ("1", "2"):
        command = [sys.executable, "-c", DIGEST_SCRIPT]
        run = subprocess.run(
            command, env={"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == digest.hexdigest()


def test_render_leaves_the_global_random_state_alone():
    np.random.seed(4)  # noqa: NPY002 - the global state is what is checked
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    render("forest", 1, 64)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 10**12), size=st.integers(1, 600))
def test_longest_side_is_the_asked_size(kind, seed, size):
    picture = render(kind, seed, size)
    assert picture.mode == "RGB"
    assert max(picture.size) == size
    assert min(picture.size) >= 1


@pytest.mark.parametrize(("kind", "seed", "size"), [("unicorn", 1, 64), ("apple", -1, 64), ("apple", 1, 0)])
def test_wrong_arguments_are_named(kind, seed, size):
    with pytest.raises(ConceptError, match=r"sample picture"):
        render(kind, seed, size)


def test_gallery_files_and_labels(tmp_path):
    seen = []
    folder = tmp_path / "deep" / "sample"
    labels = write_gallery(folder, count=2, progress=lambda done, total: seen.append((done, total)))
    assert labels == tmp_path / "deep" / "sample_labels.csv"
    with labels.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [f"{kind}/{kind}_00{i}.jpg" for kind in KINDS for i in range(2)]
    assert all(row["label"] == row["file"].split("/")[0] for row in rows)
    on_disk = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert on_disk == {row["file"] for row in rows}
    for row in rows:
        with Image.open(folder / row["file"]) as picture:
            assert picture.format == "JPEG"
            assert picture.mode == "RGB"
            assert max(picture.size) == 256
    assert seen == [(done, 48) for done in range(1, 49)]


def test_gallery_pictures_come_from_the_documented_seeds(tmp_path):
    write_gallery(tmp_path / "sample", count=2, seed=3)
    with Image.open(tmp_path / "sample" / "train" / "train_001.jpg") as stored:
        kept = np.asarray(stored, float)
    drawn = np.asarray(render("train", 3 * 100_000 + 1), float)
    assert kept.shape == drawn.shape
    assert np.abs(kept - drawn).mean() < 4, "more than JPEG's loss"


def test_second_run_rewrites_nothing_and_mends_what_is_damaged(tmp_path):
    folder = tmp_path / "sample"
    labels = write_gallery(folder, count=1)
    files = [labels, *sorted(folder.rglob("*.jpg"))]
    stamps = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}
    content = {path: path.read_bytes() for path in files}
    write_gallery(folder, count=1)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files} == stamps
    damaged = folder / "clock" / "clock_000.jpg"
    damaged.write_bytes(content[damaged][:100])
    write_gallery(folder, count=1)
    assert {path: path.read_bytes() for path in files} == content


def test_more_pictures_keep_the_first_ones(tmp_path):
    few, many = tmp_path / "few", tmp_path / "many"
    write_gallery(few, count=1)
    write_gallery(many, count=2)
    for kind in KINDS:
        name = f"{kind}/{kind}_000.jpg"
        assert (few / name).read_bytes() == (many / name).read_bytes()
        assert (many / name).read_bytes() != (many / f"{kind}/{kind}_001.jpg").read_bytes()


@pytest.mark.parametrize(("count", "seed"), [(0, 7), (100_001, 7), (3, -1)])
def test_gallery_refuses_counts_and_seeds_out_of_range(tmp_path, count, seed):
    with pytest.raises(ConceptError, match="sample gallery"):
        write_gallery(tmp_path / "sample", count=count, seed=seed)
    assert list(tmp_path.iterdir()) == []
