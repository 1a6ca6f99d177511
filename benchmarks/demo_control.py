"""What becomes of kinds that the demo model never saw: ``python -m benchmarks.demo_control``.

Trains the demo model without eight kinds, by a shorter run of the same recipe, and looks how concepts of those
kinds are named. The honest answers are "unnamed" and a true hypernym.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.figures import shown_word
from benchmarks.photographs import decode, find_photographs
from concept_lib.errors import ConceptError

UNSEEN = {
    "avocado": "avocado.n.01",
    "banana": "banana.n.02",
    "bell pepper": "bell_pepper.n.02",
    "hat": "hat.n.01",
    "kiwi": "kiwi.n.03",
    "milk": "milk.n.01",
    "paper": "paper.n.01",
    "potato": "potato.n.01",
}
"""The kinds left out, each with the WordNet sense that the photographs show. Drawn once, by
``numpy.random.default_rng(0).choice(…, 8, replace=False)`` from the sorted kinds of the test photographs that are
neither kinds of the gallery nor in `benchmarks.figures.SYNONYMS`."""
EMPTY_WORDS = {"entity", "object", "artifact", "whole"}
LEVELS = 3
STEPS = 1200
RENDERS = 24
RENDER_SEED = 41_000_000
RENDERED = " (rendered)"
PAGE = Path(__file__).with_name("DEMO_CONTROL.md")


@dataclass(frozen=True, slots=True)
class Named:
    """How a concept made of all pictures of one kind is named: the label shown, its confidence and its words."""

    label: str
    confidence: float
    words: list[str]


def hypernyms(sense: str) -> set[str]:
    """Words of WordNet's hypernyms of a sense, up to `LEVELS` levels, without those that say nothing."""
    from nltk.corpus import wordnet

    try:
        level = [wordnet.synset(sense)]
    except LookupError as error:
        raise ConceptError("WordNet not found: set NLTK_DATA to a folder with corpora/wordnet.zip") from error
    words: set[str] = set()
    for _ in range(LEVELS):
        level = [parent for synset in level for parent in synset.hypernyms()]
        words |= {name.replace("_", " ") for synset in level for name in synset.lemma_names()}
    return words - EMPTY_WORDS


def name_kinds(
    model: Path, pixels: Sequence[np.ndarray], kinds: Sequence[str], *, n_shown: int = 1
) -> dict[str, Named]:
    """Name one concept for each kind, made of all its pictures, as the product names concepts."""
    from benchmarks.baselines import encode
    from concept_lib.embedding.encoder import load_encoder
    from concept_lib.modeling.exemplars import choose_exemplars, concept_vectors
    from concept_lib.modeling.naming import name_concepts
    from concept_lib.vocabulary import load_vocabulary

    encoder = load_encoder(str(model))
    nouns = load_vocabulary("nouns").words
    vectors = encode(encoder, pixels)
    names, codes = np.unique(np.array(kinds), return_inverse=True)
    exemplars = choose_exemplars(vectors, codes, np.ones(len(codes)))
    naming = name_concepts(
        concept_vectors(vectors, exemplars),
        vectors,
        codes,
        nouns,
        encoder.encode_texts(nouns),
        n_shown=n_shown,
        midpoint=encoder.confidence.midpoint,
        scale=encoder.confidence.scale,
        hedging=encoder.confidence.hedging,
    )
    words = [[nouns[i] for i in row] for row in naming.words["cosine"]]
    rows = zip(naming.labels, naming.confidence.tolist(), words, strict=True)
    return dict(zip(names.tolist(), (Named(*row) for row in rows), strict=True))


def is_honest(kind: str, named: Named, unnamed: str) -> bool:
    """Whether a kind that was never seen is unnamed, or named by a true hypernym."""
    return named.label == unnamed or shown_word(named.label) in hypernyms(UNSEEN[kind])


def judge(named: Mapping[str, Named], steps: int) -> str:
    """The page: a table of the unseen kinds, and the shares of the known ones."""
    from concept_lib.modeling.naming import UNNAMED

    unseen = {kind: named[kind] for kind in UNSEEN}
    known = {kind: found for kind, found in named.items() if kind not in UNSEEN}
    honest = {kind: is_honest(kind, found, UNNAMED) for kind, found in unseen.items()}
    kept = [kind for kind, found in known.items() if found.label != UNNAMED]
    right = [kind for kind in kept if shown_word(known[kind].label) == kind.removesuffix(RENDERED)]
    lines = [
        "# The demo model trained without eight kinds",
        "",
        f"`python -m benchmarks.demo_control`: {steps:,} steps of the demo model's recipe, never shown "
        f"{', '.join(UNSEEN)}. Each row is the concept made of all test photographs of a kind.",
        "",
        "| kind never seen | shown | confidence | nearest words | honest |",
        "|---|---|---|---|---|",
    ]
    for kind, found in unseen.items():
        mark = "yes" if honest[kind] else "no"
        lines.append(
            f"| {kind} | {found.label} | {found.confidence:.2f} | {', '.join(found.words[:4])} | {mark} |"
        )
    lines += [
        "",
        "| | measured | needed | |",
        "|---|---|---|---|",
        _row("kinds never seen: unnamed, or a true hypernym", sum(honest.values()), 6, f"of {len(honest)}"),
        _row("known kinds (photographs and renders): named", len(kept) / len(known), 0.9, f"of {len(known)}"),
        f"| known kinds: named rightly | {len(right) / len(known):.3f} | | of {len(known)} |",
    ]
    return "\n".join(lines) + "\n"


def _row(what: str, value: float, needed: float, of: str) -> str:
    mark = "met" if value >= needed else "short"
    return f"| {what} | {value:.3g} | {needed:g} | {mark}, {of} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train or go on training, judge, print and write the page."""
    from concept_lib.embedding.demo_model.recipe import Recipe
    from concept_lib.embedding.demo_model.train import train
    from concept_lib.images.sample import KINDS, render
    from concept_lib.storage import write_file

    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo_control", description=__doc__)
    parser.add_argument("--training", type=Path, default=Path("../shared/training_photos.parquet"))
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos"))
    parser.add_argument("--work-dir", type=Path, default=Path("data/demo_control"), help="checkpoint, model")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=PAGE, help="gets the page")
    options = parser.parse_args(arguments)
    try:
        photographs = find_photographs(options.photos)
        hypernyms(UNSEEN["hat"])  # whoever lacks WordNet learns it before the training
        recipe = replace(Recipe(), steps=options.steps, without=tuple(UNSEEN))
        train(recipe, options.training, options.work_dir, options.work_dir)
        pixels = decode(photographs, recipe.served_size)
        renders = [(kind, RENDER_SEED + i) for kind in KINDS for i in range(RENDERS)]
        pixels += [np.asarray(render(kind, seed, recipe.served_size)) for kind, seed in renders]
        kinds = [*photographs.kinds, *(f"{kind}{RENDERED}" for kind, _ in renders)]
        page = judge(name_kinds(options.work_dir / "weights", pixels, kinds), options.steps)
    except ConceptError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    write_file(options.out, page.encode())
    print(page, end="")


if __name__ == "__main__":
    main()
