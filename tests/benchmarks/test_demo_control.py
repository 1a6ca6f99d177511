"""What the control training's judge calls honest, and the page that it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import demo_control
from benchmarks.demo_control import UNSEEN, Named, hypernyms, is_honest, judge, name_kinds
from concept_lib.embedding.model_files import DEMO, locate
from concept_lib.errors import ConceptError
from concept_lib.images.sample import KINDS, render
from concept_lib.modeling.naming import UNNAMED


@pytest.fixture
def wordnet(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(shared / "nltk_data")])


def named(label: str, *, right: bool = True) -> Named:
    return Named(label, 0.9 if right else 0.1, [label, "lamp"])


@pytest.mark.usefixtures("wordnet")
def test_hypernyms_are_wordnets_of_the_photographed_sense() -> None:
    assert {"fruit", "edible fruit"} <= hypernyms("banana.n.02")
    assert "plant" not in hypernyms("banana.n.02")
    assert "clothing" in hypernyms("hat.n.01")
    assert not hypernyms("hat.n.01") & {"artifact", "object", "whole", "entity"}
    assert "vegetable" not in hypernyms("bell_pepper.n.02")  # four levels up


@pytest.mark.usefixtures("wordnet")
def test_unnamed_and_hypernyms_are_honest_and_siblings_are_not() -> None:
    assert is_honest("banana", named(UNNAMED), UNNAMED)
    assert is_honest("banana", named("fruit, citrus"), UNNAMED)
    assert not is_honest("banana", named("citrus, fruit"), UNNAMED)
    assert not is_honest("banana", named("pear"), UNNAMED)


@pytest.mark.usefixtures("wordnet")
@pytest.mark.parametrize(("n_honest", "mark"), [(5, "short"), (6, "met")])
def test_the_page_counts(n_honest: int, mark: str) -> None:
    kinds = list(UNSEEN)
    found = {kind: named(UNNAMED if row < n_honest else "pear") for row, kind in enumerate(kinds)}
    found |= {"cup (rendered)": named("cup"), "lemon": named("orange"), "lime": named(UNNAMED)}
    page = judge(found, 1500)
    assert f"| kinds never seen: unnamed, or a true hypernym | {n_honest} | 6 | {mark}, of 8 |" in page
    assert "named | 0.667 | 0.9 | short, of 3 |" in page
    assert "| known kinds: named rightly | 0.333 | | of 3 |" in page


def test_without_wordnet_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import nltk
    from nltk.corpus import wordnet

    monkeypatch.setattr(nltk.data, "path", [])

    def missing(name: str) -> None:
        raise LookupError(name)

    monkeypatch.setattr(wordnet, "synset", missing, raising=False)
    with pytest.raises(ConceptError, match="NLTK_DATA"):
        hypernyms("banana.n.02")


def test_kinds_are_named_as_concepts_are() -> None:
    kinds = [kind for kind in KINDS[:3] for _ in range(4)]
    pixels = [np.asarray(render(kind, 51_000_000 + i, 96)) for i, kind in enumerate(kinds)]
    found = name_kinds(locate(DEMO).folder, pixels, kinds)
    assert {kind: label.words[0] for kind, label in found.items()} == {kind: kind for kind in KINDS[:3]}


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        demo_control.main(["--photos", str(tmp_path / "none")])
    assert capsys.readouterr().err.startswith("error: no folder")
