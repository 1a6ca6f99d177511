"""ConceptModel: the seed's API, its defects as tests, and parity with naive references."""

from __future__ import annotations

import pickle
import warnings
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from concept_lib import ConceptModel
from concept_lib.errors import ConceptError
from concept_lib.images.sample import render
from concept_lib.model import fitting

KINDS = ("beach", "pizza", "clock", "sunflower")
EACH = 20
DOCS = [*KINDS, "train", "umbrella", "fish"]


NO_CONCEPTS = partial(pytest.warns, UserWarning, match="no concepts in .* try a min_concept_size below")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("pictures")
    for kind in KINDS:
        for seed in range(EACH):
            render(kind, seed, 96).save(folder / f"{kind}_{seed:02d}.jpg", quality=92)
    return sorted(map(str, folder.glob("*.jpg")))


@pytest.fixture(scope="module")
def fitted(paths: list[str]) -> ConceptModel:
    model = ConceptModel(min_concept_size=10, embedding_model="demo", progress=False)
    model.fit_transform(paths, docs=DOCS)
    return model


def blobs(sizes: tuple[int, ...] = (40, 30, 20), dim: int = 16, seed: int = 0) -> np.ndarray:
    """Unit vectors in tight groups."""
    rng = np.random.default_rng(seed)
    centres = np.eye(dim)[: len(sizes)]
    rows = np.repeat(centres, sizes, axis=0) + rng.normal(0, 0.02, (sum(sizes), dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def plain(n: int) -> list[Image.Image]:
    return [Image.new("RGB", (32, 24), (i % 256, 80, 120)) for i in range(n)]


def test_a_gallery_is_grouped_and_named(fitted: ConceptModel, paths: list[str]) -> None:
    kinds = np.repeat(sorted(KINDS), EACH)
    labels = np.array(fitted.labels_)
    assert len(fitted.frequency) == len(KINDS)
    for kind in KINDS:
        [concept] = set(labels[kinds == kind])
        assert fitted.topics[concept].split(", ")[0] == kind
        assert fitted.find_concepts(kind, top_n=1)[0][0] == concept
    assert list(fitted.frequency["Count"]) == [EACH] * len(KINDS)
    assert fitted.frequency.index.name == "Cluster"
    assert fitted.cluster_labels == [0, 1, 2, 3]


def test_search_and_assignment_agree(fitted: ConceptModel) -> None:
    new = [render(kind, 900 + seed, 96) for kind in KINDS for seed in range(3)]
    found = fitted.transform(new)
    wanted = [fitted.find_concepts(kind)[0][0] for kind in KINDS for _ in range(3)]
    assert found == wanted


def test_paths_pillow_images_and_arrays_give_the_same_concepts(
    fitted: ConceptModel, paths: list[str]
) -> None:
    images = [Image.open(path) for path in paths[::9]]
    arrays = [np.asarray(image) for image in images]
    expected = fitted.transform(paths[::9])
    assert fitted.transform(images) == fitted.transform(arrays) == expected
    assert fitted.transform(paths[0]) == expected[:1]


def test_collections_of_any_kind_are_taken(fitted: ConceptModel, paths: list[str]) -> None:
    expected = fitted.transform(paths[::9])
    assert fitted.transform(path for path in paths[::9]) == expected
    assert fitted.transform(np.array(paths[::9])) == expected
    stack = np.stack([np.asarray(Image.open(path).resize((96, 96))) for path in paths[::9]])
    assert fitted.transform(stack) == expected
    assert fitted.transform(stack[0]) == expected[:1]
    assert fitted.transform(Image.open(paths[0])) == expected[:1]


def test_what_is_not_fitted_says_so() -> None:
    model = ConceptModel()
    for ask in (
        lambda: model.frequency,
        lambda: model.topics,
        lambda: model.find_concepts("beach"),
        lambda: model.transform(["a.jpg"]),
        lambda: model.visualize_concepts(),
        lambda: model.save("x"),
    ):
        with pytest.raises(NotFittedError, match="fit_transform"):
            ask()
    assert "fit_transform" in model._repr_html_()


def test_parameters_are_those_of_scikit_learn() -> None:
    model = ConceptModel(20, 0.5, "demo", ctfidf=True, n_exemplars=4)
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert copy.set_params(diversity=0.1).diversity == 0.1
    with pytest.raises(ValueError, match="no_such"):
        copy.set_params(no_such=1)


def test_the_seed_decides(paths: list[str]) -> None:
    vectors = blobs((30, 30, 30))
    runs = [ConceptModel(10, random_state=seed, progress=False) for seed in (1, 1)]
    first, second = (run.fit_transform(plain(90), image_embeddings=vectors) for run in runs)
    assert first == second


# ── parity with the user's own models and naive references ─────────────────────────────────────────────────────


def test_labels_are_those_of_the_users_own_models() -> None:
    from hdbscan import HDBSCAN
    from sklearn.decomposition import PCA

    vectors = blobs((40, 30, 20))
    reference = HDBSCAN(min_cluster_size=8).fit(PCA(3, random_state=0).fit_transform(vectors))
    model = ConceptModel(
        umap_model=PCA(3, random_state=0), hdbscan_model=HDBSCAN(min_cluster_size=8), progress=False
    )
    assert model.fit_transform(plain(90), image_embeddings=vectors) == reference.labels_.tolist()


def test_models_on_a_gpu_are_taken_as_they_are() -> None:
    class OnDevice:
        """What cuML gives: an array with ``get``."""

        def __init__(self, array: np.ndarray) -> None:
            self._array = array

        def get(self) -> np.ndarray:
            return self._array

    class Reducer:
        def fit_transform(self, rows: np.ndarray) -> OnDevice:
            return OnDevice(rows[:, :3])

    class Clusterer:
        def fit(self, rows: np.ndarray) -> None:
            self.labels_ = OnDevice(rows.argmax(axis=1))

    vectors = blobs((5, 5, 5))
    model = ConceptModel(umap_model=Reducer(), hdbscan_model=Clusterer(), progress=False)
    assert model.fit_transform(plain(15), image_embeddings=vectors) == [0] * 5 + [1] * 5 + [2] * 5


def test_concept_vectors_exemplars_and_words_equal_naive_references(fitted: ConceptModel) -> None:
    state = fitted._state
    towers = fitted._towers()
    words = towers.encode_texts(DOCS)
    for concept in state.concept_ids:
        members = np.flatnonzero(state.concepts == concept)
        exemplars = state.exemplars(int(concept))
        assert 1 <= len(exemplars) <= 8
        assert set(exemplars) <= set(members.tolist())
        mean = state.vectors[exemplars].astype(float).mean(axis=0)
        np.testing.assert_allclose(fitted.cluster_embeddings[concept], mean / np.linalg.norm(mean), atol=1e-6)
        cosines = words @ (mean / np.linalg.norm(mean))
        assert fitted.topics[int(concept)] == ", ".join(DOCS[i] for i in np.argsort(-cosines)[:5])


def test_ctfidf_words_are_words_and_equal_a_naive_reference(paths: list[str]) -> None:
    model = ConceptModel(10, embedding_model="demo", ctfidf=True, top_n_words=3, progress=False)
    docs = [*DOCS, *(f"thing {i}" for i in range(40))]
    model.fit_transform(paths, docs=docs)
    state, words = model._state, model._towers().encode_texts(docs)
    counts = np.zeros((len(state.concept_ids), len(docs)))
    for row, concept in enumerate(state.concept_ids):
        for image in np.flatnonzero(state.concepts == concept):
            for word in np.argsort(-(words @ state.vectors[image]), kind="stable")[:20]:
                counts[row, word] += 1
    average = counts.sum() / len(counts)
    scores = (
        counts / counts.sum(axis=1, keepdims=True) * np.log1p(average / np.maximum(counts.sum(axis=0), 1))
    )
    for row, concept in enumerate(state.concept_ids):
        best = np.argsort(-scores[row], kind="stable")[:3]
        found = dict(state.words[int(concept)])
        assert set(found) <= set(docs)
        np.testing.assert_allclose(sorted(found.values()), sorted(scores[row][best]), rtol=1e-4)


# ── each defect of the seed ─────────────────────────────────────────────────────────────────────────────────────


def test_no_noise_all_noise_and_one_concept() -> None:
    class Clusterer:
        def __init__(self, labels: list[int]) -> None:
            self.labels_ = np.array(labels)

        def fit(self, rows: np.ndarray) -> None:
            pass

    vectors = blobs((6, 6))
    for labels, numbers in (([0] * 6 + [1] * 6, [0, 1]), ([-1] * 12, []), ([0] * 12, [0])):
        model = ConceptModel(hdbscan_model=Clusterer(labels), embedding_model="demo", progress=False)
        with nullcontext() if numbers else NO_CONCEPTS():
            assert model.fit_transform(plain(12), image_embeddings=vectors) == labels
        assert sorted(model.frequency.index) == numbers
        assert sorted(model.cluster_images) == numbers
        assert len(model.visualize_concepts().axes) >= 1
        assert model.get_concept_info()["Concept"].tolist() == numbers
        assert "ConceptModel" in model._repr_html_()
        assert set(model.transform(plain(2), image_embeddings=vectors[:2])) <= {*labels, -1}


@pytest.mark.parametrize("n", [1, 2, 20])
def test_few_images(n: int) -> None:
    model = ConceptModel(embedding_model="demo", progress=False)
    images = [render(KINDS[i % 2], i, 64) for i in range(n)]
    with NO_CONCEPTS() if n < 20 else nullcontext():
        found = model.fit_transform(images, docs=["beach", "pizza"])
    assert len(found) == n
    assert sum(model.frequency["Count"]) == sum(concept >= 0 for concept in found)
    if n == 20:
        assert set(found[::2]).isdisjoint(set(found[1::2]) - {-1})


def test_no_images_and_no_docs() -> None:
    model = ConceptModel(embedding_model="demo", progress=False)
    assert model.fit_transform([]) == []
    assert model.topics is None
    assert model.fit([], docs=[]).topics == {}
    assert model.find_concepts("beach") == []


def test_fewer_docs_than_label_words_and_phrases(paths: list[str]) -> None:
    model = ConceptModel(10, embedding_model="demo", progress=False)
    model.fit(paths, docs=["a slice of pizza", "a beach by the sea", "a slice of pizza"])
    assert {word for topic in model.topics.values() for word in topic.split(", ")} == {
        "a slice of pizza",
        "a beach by the sea",
    }
    with pytest.raises(ConceptError, match="list of words"):
        model.fit(paths, docs="pizza")


def test_a_vectorizer_takes_words_out_of_sentences(paths: list[str]) -> None:
    from sklearn.feature_extraction.text import CountVectorizer

    model = ConceptModel(10, embedding_model="demo", vectorizer_model=CountVectorizer(), progress=False)
    model.fit(paths, docs=["The pizza lies on the beach.", "A clock beside a sunflower."])
    best = {topic.split(", ")[0] for topic in model.topics.values()}
    assert best == set(KINDS)


def test_odd_and_broken_images_keep_their_positions(paths: list[str], tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 80)).save(tmp_path / "rgba.png")
    Image.new("CMYK", (40, 40)).save(tmp_path / "cmyk.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    odd = [tmp_path / name for name in ("rgba.png", "cmyk.jpg", "broken.jpg", "missing.jpg")]
    images = [odd[2], *paths[:20], odd[0], odd[3], *paths[20:], odd[1], np.zeros((3, 4, 7)), 5]
    model = ConceptModel(10, embedding_model="demo", progress=False)
    with pytest.warns(UserWarning, match=r"4 of 86 images cannot be used and get concept -1 \(.*broken\.jpg"):
        found = model.fit_transform(images)
    assert [found[row] for row in (0, 22, 84, 85)] == [-1] * 4
    alone = ConceptModel(10, embedding_model="demo", progress=False).fit_transform(paths)
    assert len(set(found) - {-1}) == len(set(alone))
    problems = model.get_image_info()["Problem"]
    assert problems.notna().sum() == 4
    assert "No such file" in problems[22]
    with pytest.warns(UserWarning, match="1 of 2"):
        assert model.transform([odd[3], paths[0]])[0] == -1


def test_collages_are_not_distorted() -> None:
    from hdbscan import HDBSCAN

    tall = [Image.new("RGB", (60, 180), "teal") for _ in range(12)]
    model = ConceptModel(
        hdbscan_model=HDBSCAN(min_cluster_size=12, allow_single_cluster=True), progress=False
    )
    model.fit(tall, image_embeddings=blobs((12,)))
    [collage] = model.cluster_images.values() or [None]
    pixels = np.asarray(collage)
    inked = np.abs(pixels.astype(int) - [0, 128, 128]).sum(axis=2) < 40
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    runs = np.flatnonzero(np.diff(np.append(columns, 10**6)) > 1)
    width = runs[0] + 1
    height = np.flatnonzero(np.diff(np.append(rows, 10**6)) > 1)[0] + 1
    assert 1.3 < height / width < 3.1


def test_visualize_shows_what_is_asked_for(fitted: ConceptModel) -> None:
    figure = fitted.visualize_concepts(concepts=[concept for concept, _ in fitted.find_concepts("beach")[:2]])
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert len(titles) == 2
    assert titles[0].startswith("beach")
    assert tuple(figure.get_size_inches()) == (20, 15)
    with pytest.raises(ValueError, match="no concept 99"):
        fitted.visualize_concepts(concepts=[99])


# ── embeddings, saving, the published database ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["npz", "pkl"])
def test_vectors_of_a_file_are_matched_by_name(tmp_path: Path, form: str) -> None:
    vectors = blobs((12, 12))
    names = [f"{i}.jpg" for i in range(24)]
    called, others = names[::-1][1:], vectors[::-1][1:] * 3
    np.savez(tmp_path / "v.npz", names=np.array(called), vectors=others)
    (tmp_path / "v.pkl").write_bytes(pickle.dumps((called, others)))
    model = ConceptModel(8, progress=False)
    with pytest.warns(UserWarning, match="1 of 24 .*no vector"):
        found = model.fit_transform(plain(24), image_names=names, image_embeddings=tmp_path / f"v.{form}")
    assert found[-1] == -1
    assert set(found[:12]) != set(found[12:23])
    np.testing.assert_allclose(model._state.vectors[:23], vectors[:23], atol=1e-6)


@pytest.mark.parametrize("wrong", [np.zeros((3, 4)), np.zeros(5), np.array([["a"] * 4] * 5)])
def test_vectors_of_another_shape_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ConceptError, match="image_embeddings takes numbers of shape"):
        ConceptModel(progress=False).fit(plain(5), image_embeddings=wrong)


def test_what_is_saved_answers_alike(fitted: ConceptModel, paths: list[str], tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.pkl"))
    loaded = ConceptModel.load(tmp_path / "model", progress=False)
    assert loaded.topics == fitted.topics
    assert loaded.get_params() == fitted.get_params()
    assert loaded.find_concepts("clock") == fitted.find_concepts("clock")
    assert loaded.transform(paths[::7]) == fitted.transform(paths[::7])
    for table in ("get_concept_info", "get_image_info"):
        assert getattr(loaded, table)().equals(getattr(fitted, table)())
    assert loaded.concept_images(0) == fitted.concept_images(0)
    assert loaded.cluster_images[0].size == fitted.cluster_images[0].size


def test_a_newer_or_damaged_model_is_refused(fitted: ConceptModel, tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="no saved model"):
        ConceptModel.load(tmp_path)
    fitted.save(tmp_path)
    about = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(about.replace('"version": 1', '"version": 2'))
    with pytest.raises(ConceptError, match="reads up to 1; upgrade"):
        ConceptModel.load(tmp_path)
    (tmp_path / "model.json").write_text(about)
    (tmp_path / "images.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConceptError, match="is damaged"):
        ConceptModel.load(tmp_path)


def test_models_are_loaded_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from concept_lib.embedding import encoder

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(encoder, "load_encoder", refuse)
    model = ConceptModel(8, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(plain(30), image_embeddings=blobs((15, 15)))
    assert model.topics is None


def test_a_loaded_model_and_a_pair_are_taken(paths: list[str]) -> None:
    from sentence_transformers import SentenceTransformer

    from concept_lib.embedding.model_files import locate

    loaded = SentenceTransformer(str(locate("demo").folder), device="cpu")
    expected = ConceptModel(10, embedding_model="demo", progress=False).fit(paths).cluster_embeddings
    # A loaded model computes in single precision, a named one perhaps in half.
    for model, difference in ((loaded, 5e-3), ((loaded, "demo"), 5e-3), (("demo", "demo"), 1e-5)):
        found = ConceptModel(10, embedding_model=model, progress=False).fit(paths).cluster_embeddings
        np.testing.assert_allclose(found, expected, atol=difference)
    with pytest.raises(ConceptError, match="or a pair"):
        ConceptModel(embedding_model=("demo",), progress=False).fit(paths)


def test_of_many_images_a_sample_is_fitted_and_the_others_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = blobs()
    model = ConceptModel(min_concept_size=10, embedding_model="demo", progress=False)
    everyone = model.fit_transform(plain(90), image_embeddings=vectors)
    monkeypatch.setattr(fitting, "FIT_SAMPLE", 60)
    seen = []
    reduce = fitting.reduce
    monkeypatch.setattr(
        fitting, "reduce", lambda rows, **rules: seen.append(len(rows)) or reduce(rows, **rules)
    )
    assert model.fit_transform(plain(90), image_embeddings=vectors) == everyone
    assert seen == [60]
    assert sorted(set(everyone)) == [0, 1, 2]
