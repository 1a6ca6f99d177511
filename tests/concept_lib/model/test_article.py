"""The code of the article about the seed, on our gallery and on photographs: the import and the model differ."""

from __future__ import annotations

import glob
import random
from pathlib import Path

import numpy as np
import pytest

from concept_lib import ConceptModel
from concept_lib.images.sample import KINDS, render

EACH = 40


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    for kind in KINDS:
        for seed in range(EACH):
            render(kind, 7_000 + seed, 112).save(folder / f"{kind}_{seed:02d}.jpg", quality=92)
    return folder


@pytest.fixture(scope="module")
def selected_nouns(shared: Path) -> list[str]:
    import nltk.data

    nltk.data.path.insert(0, str(shared / "nltk_data"))
    try:
        from nltk.corpus import wordnet as wn

        all_nouns = [
            word for synset in wn.all_synsets("n") for word in synset.lemma_names() if "_" not in word
        ]
    finally:
        nltk.data.path.remove(str(shared / "nltk_data"))
    random.seed(1)
    return random.sample(all_nouns, 50_000)


@pytest.mark.slow
@pytest.mark.parametrize("collection", ["photographs", "gallery"])
def test_the_article(collection: str, shared: Path, gallery: Path, selected_nouns: list[str]) -> None:
    pattern = {"photographs": shared / "photos" / "*" / "*.jpg", "gallery": gallery / "*.jpg"}[collection]
    img_names = glob.glob(str(pattern))  # noqa: PTH207 - as the article has it

    concept_model = ConceptModel(embedding_model="demo")
    concepts = concept_model.fit_transform(img_names, docs=selected_nouns)

    assert len(concepts) == len(img_names)
    assert len(concept_model.frequency) >= 2
    assert concept_model.frequency["Count"].is_monotonic_decreasing
    assert concept_model.frequency["Count"].min() >= 30
    assert concept_model.frequency["Count"].sum() == sum(concept >= 0 for concept in concepts)
    nouns = set(selected_nouns)
    for topic in concept_model.topics.values():
        assert len(topic.split(", ")) == 5
        assert set(topic.split(", ")) <= nouns
    assert concept_model.visualize_concepts().axes

    search_results = concept_model.find_concepts("beach")
    similarities = [similarity for _, similarity in search_results]
    assert similarities == sorted(similarities, reverse=True)
    assert concept_model.visualize_concepts(concepts=[concept for concept, _ in search_results]).axes

    embedded = ConceptModel(embedding_model="demo", progress=False)
    again = embedded.fit_transform(img_names, image_embeddings=concept_model._state.vectors)
    assert again == concepts

    by_class = ConceptModel(embedding_model="demo", ctfidf=True, progress=False)
    by_class.fit_transform(img_names, docs=selected_nouns, image_embeddings=concept_model._state.vectors)
    for topic in by_class.topics.values():
        assert set(topic.split(", ")) <= nouns


@pytest.mark.slow
def test_the_gallery_is_found_by_name(gallery: Path) -> None:
    img_names = sorted(glob.glob(str(gallery / "*.jpg")))  # noqa: PTH207
    concept_model = ConceptModel(min_concept_size=10, embedding_model="demo")
    concepts = np.array(concept_model.fit_transform(img_names, docs=list(KINDS)))

    kinds = np.array([Path(name).stem.rsplit("_", 1)[0] for name in img_names])
    right = 0
    for kind in KINDS:
        found, _ = concept_model.find_concepts(kind)[0]
        inside = kinds[concepts == found]
        right += (inside == kind).mean() > 0.5
    assert right == len(KINDS)
