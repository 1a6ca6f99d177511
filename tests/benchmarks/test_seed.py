"""The seed: what it lacks today is put back, and its path and ours come to the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.inputs.pictures import SMALL, write_pictures
from benchmarks.inputs.vectors import n_clusters, truth_of, write_concepts, write_vectors, write_words
from benchmarks.seed import environment
from benchmarks.speed import ROOT
from benchmarks.worker import OURS, SEED, work
from concept_lib.errors import ConceptError

SHIMMED = """
from benchmarks.seed import shims
shims.install()
from scipy.sparse.csr import csr_matrix
from scipy.sparse import csr_matrix as true
from sklearn.feature_extraction.text import CountVectorizer
assert csr_matrix is true
assert CountVectorizer().fit(["red apple", "apple"]).get_feature_names() == ["apple", "red"]
"""
N = 400


@pytest.fixture
def seed() -> Path:
    if not environment.is_made():
        pytest.skip("the seed's environment is not made: python -m benchmarks.seed")
    return environment.python()


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_vectors(tmp_path_factory.mktemp("vectors"), N)


def test_the_shims_put_back_what_the_seed_imports() -> None:
    command = [sys.executable, "-W", "error::DeprecationWarning:__main__", "-c", SHIMMED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_without_pypi_the_environment_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(ConceptError, match=r"the seed, concept 0\.2\.1, cannot be fetched from PyPI: ERROR"):
        environment.make(tmp_path / "env")
    assert not environment.is_made(tmp_path / "env")


def test_our_steps_find_the_truth(vectors: Path, tmp_path: Path) -> None:
    words = write_words(tmp_path, N, 300)
    concepts, names = write_concepts(tmp_path, 12, 300)
    found = work(OURS, {"step": "labels", "concepts": concepts, "words": names})
    assert found["named"] == 1
    found = work(OURS, {"step": "ctfidf", "vectors": vectors, "truth": truth_of(vectors), "words": words})
    assert found["named"] == 1
    assert found["ctfidf"]["peak_mb"] > 0


@pytest.mark.slow
def test_our_fit_finds_the_clusters(vectors: Path, tmp_path: Path) -> None:
    from sklearn.metrics import adjusted_rand_score

    out, space = tmp_path / "labels.npy", tmp_path / "space.npy"
    found = work(OURS, {"step": "fit", "vectors": vectors, "out": out, "space": space})
    assert set(found) == {"cold", "warm", "map"}
    truth = np.load(truth_of(vectors))
    inside = truth >= 0
    assert adjusted_rand_score(truth[inside], np.load(out)[inside]) > 0.5
    again = tmp_path / "again.npy"
    found = work(OURS, {"step": "cluster", "vectors": vectors, "space": space, "out": again})
    assert set(found) == {"cluster", "exemplars"}
    np.testing.assert_array_equal(np.load(out), np.load(again))


@pytest.mark.slow
def test_the_seed_and_we_give_the_same_vectors(seed: Path, tiny_model: Path, tmp_path: Path) -> None:
    pictures = list(map(str, write_pictures(tmp_path, 5, SMALL)))
    job = {"step": "embed", "model": tiny_model, "pictures": pictures}
    work(OURS, job | {"out": tmp_path / "ours.npy"})
    work(SEED, job | {"out": tmp_path / "seed.npy"}, seed)
    theirs = np.load(tmp_path / "seed.npy")
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert (
        1 - (np.load(tmp_path / "ours.npy") * theirs).sum(axis=1)
    ).max() < 1e-2  # 32 pixels show each rounding


@pytest.mark.slow
def test_the_seed_finds_the_same_clusters_and_words(seed: Path, vectors: Path, tmp_path: Path) -> None:
    from sklearn.metrics import adjusted_rand_score

    out, space = tmp_path / "ours.npy", tmp_path / "space.npy"
    work(OURS, {"step": "fit", "vectors": vectors, "out": out, "space": space})
    job = {"step": "cluster", "vectors": vectors, "space": space, "out": tmp_path / "seed.npy"}
    work(SEED, job, seed)
    assert adjusted_rand_score(np.load(out), np.load(tmp_path / "seed.npy")) > 0.9
    concepts, names = write_concepts(tmp_path, 12, 300)
    assert work(SEED, {"step": "labels", "concepts": concepts, "words": names}, seed)["named"] == 1
    words = write_words(tmp_path, N, 300)
    found = work(
        SEED, {"step": "ctfidf", "vectors": vectors, "truth": truth_of(vectors), "words": words}, seed
    )
    # it takes the first word of the vocabulary for none, which is the name of the first cluster
    assert found["named"] == 1 - 1 / n_clusters(N)
