"""What is measured, in which order: a step and its twin follow each other, now the one first and now the other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.inputs.clip import write_clip
from benchmarks.inputs.pictures import LARGE, SMALL, write_pictures
from benchmarks.inputs.vectors import truth_of, write_concepts, write_vectors, write_words
from benchmarks.ledger import Ledger
from benchmarks.worker import MACHINE, OURS, SEED, Found, Job, work
from concept_lib.vocabulary import load_vocabulary

SIZES = {"640x427": SMALL, "1080x720": LARGE}
CONCEPTS, EXEMPLARS = 150, 8
DECODED = 500  # pictures that show what decoding costs
GROWN, SAMPLED = "grow", "sampled"
COMPARED = 100_000
"""Images of which all are fitted, and once more a sample."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Parameters
    ----------
    images
        Images of a collection, largest last, which alone is refreshed; and how often its steps are measured.
    pictures
        JPEGs that are embedded in a round, by the name of their size; as many rounds as the smallest collection has.
    nouns
        Words that are embedded.
    words
        Words that may name a concept.
    once
        Whether both sides also embed the largest collection, once.
    growth
        Sizes of collections of vectors that were computed elsewhere.
    added
        Images that come to the refreshed collection.
    """

    images: Mapping[int, int]
    pictures: Mapping[str, int]
    nouns: int = 1024
    words: int = 50_000
    once: bool = False
    growth: Sequence[int] = ()
    added: int = 100

    @property
    def smallest(self) -> int:
        """Images of the smallest collection."""
        return next(iter(self.images))

    @property
    def largest(self) -> int:
        """Images of the largest collection."""
        return list(self.images)[-1]


@dataclass(frozen=True, slots=True)
class Run:
    """A plan at work.

    Parameters
    ----------
    plan
        What is measured.
    work
        Folder of what is measured on; large, and kept.
    ledger
        Gets what was measured.
    seed
        Interpreter of the seed's environment; None where it cannot be made: then the product alone is measured.
    model
        Sizes of the CLIP, as `write_clip` takes them.
    """

    plan: Plan
    work: Path
    ledger: Ledger
    seed: Path | None
    model: Mapping[str, Any] = field(default_factory=dict)

    def everything(self) -> None:
        """Measure all of the plan, or what is left of it."""
        rounds = self.plan.images[self.plan.smallest]
        for number in range(rounds):
            self.embedding(number)
        if self.plan.once:
            self._embed("640x427", self.plan.largest, 0)
        for images, rounds in self.plan.images.items():
            for number in range(rounds):
                self.steps(images, number)
        for number in range(self.plan.images[self.plan.smallest]):
            self.pictured(number)
        self.refreshes()
        for images in self.plan.growth:
            self.growth(images)

    def embedding(self, number: int) -> None:
        """JPEG to vector beside the limits of the machine, and words to vectors."""
        self._take(f"matrix-{number}", partial(work, MACHINE, {"step": "matrix_products"}))
        for name, count in self.plan.pictures.items():
            decoding: Job = {"step": "decoding", "pictures": self._pictures(name, min(count, DECODED))}
            self._take(f"decoding-{name}-{number}", partial(work, MACHINE, decoding))
            self._embed(name, count, number)
        nouns = list(load_vocabulary("nouns").words[: self.plan.nouns])
        self._both("nouns", number, {"step": "embed_words", "model": self._clip(), "words": nouns})

    def steps(self, images: int, number: int) -> None:
        """From the vectors of a collection to its clusters and their words."""
        vectors = write_vectors(self.work, images)
        space = self.work / f"space_{images}.npy"
        outs = {side: {"out": self.work / f"labels_{images}_{side}.npy"} for side in ("ours", "seed")}
        own = {"ours": outs["ours"] | {"space": space}, "seed": outs["seed"]}
        right = partial(_rightness, vectors)
        self._both(f"fit-{images}", number, {"step": "fit", "vectors": vectors}, own, right)
        job: Job = {"step": "cluster", "vectors": vectors, "space": space}
        self._both(f"cluster-{images}", number, job, outs, right)
        words = write_words(self.work, images, self.plan.words)
        job = {"step": "ctfidf", "vectors": vectors, "truth": truth_of(vectors), "words": words}
        self._both(f"ctfidf-{images}", number, job)

    def pictured(self, number: int) -> None:
        """Collages and labels of concepts."""
        shown = self._pictures("640x427", self.plan.pictures["640x427"])
        rows = [
            [shown[(concept * EXEMPLARS + rank) % len(shown)] for rank in range(EXEMPLARS)]
            for concept in range(CONCEPTS)
        ]
        own: dict[str, Job] = {"ours": {"thumbnails": self.work / "thumbnails"}, "seed": {}}
        self._both("collages", number, {"step": "collages", "pictures": rows}, own)
        concepts, words = write_concepts(self.work, CONCEPTS, self.plan.words)
        self._both("labels", number, {"step": "labels", "concepts": concepts, "words": words})

    def refreshes(self) -> None:
        """The command, on the largest collection."""
        images = self.plan.largest
        pictures = self._pictures("640x427", images + self.plan.added)
        job: Job = {
            "step": "refresh",
            "folder": self.work / "collection",
            "pictures": pictures[:images],
            "added": pictures[images:],
            "model": self._clip(),
        }
        self._take("refresh", partial(work, OURS, job))

    def growth(self, images: int) -> None:
        """Clusters of vectors that were computed elsewhere; at one size also by a fit of a quarter of them."""
        ways: dict[str, Job] = {GROWN: {}}
        if images == COMPARED:
            ways[SAMPLED] = {"fit_sample": COMPARED // 4}
        vectors = write_vectors(self.work, images)
        outs = [self.work / f"{way}_{images}.npy" for way in ways]
        for (way, own), out in zip(ways.items(), outs, strict=True):
            job: Job = {"step": "grow", "vectors": vectors, "out": out, **own}
            self._take(
                f"{way}-{images}", partial(_judged, OURS, job, sys.executable, partial(_rightness, vectors))
            )
        if images == COMPARED:
            self._take(f"agreement-{images}", partial(_agreement, *outs))

    def _embed(self, name: str, count: int, number: int) -> None:
        """One size of pictures on all sides, and how far the vectors are apart."""
        job: Job = {"step": "embed", "model": self._clip(), "pictures": self._pictures(name, count)}
        key = f"embed-{name}-{count}"
        outs = {side: self.work / f"{key}-{side}.npy" for side in ("seed", *ours.PRECISIONS)}
        for side in self._order(number, *ours.PRECISIONS):
            own: Job = {"out": outs[side]} if side == "seed" else {"out": outs[side], "precision": side}
            self._take(f"{key}-{side}-{number}", self._side(side, job | own))
        if self.seed:
            self._take(f"{key}-apart-{number}", partial(_apart, outs))

    def _both(
        self,
        key: str,
        number: int,
        job: Job,
        own: Mapping[str, Job] | None = None,
        judge: Callable[[Job, Found], Found] | None = None,
    ) -> None:
        """One step on both sides."""
        for side in self._order(number, "ours"):
            self._take(f"{key}-{side}-{number}", self._side(side, job | (own or {}).get(side, {}), judge))

    def _order(self, number: int, *sides: str) -> list[str]:
        """The product first, and then the seed where it is there; in odd rounds the other way."""
        order = [*sides, "seed"] if self.seed else list(sides)
        return order[::-1] if number % 2 else order

    def _side(
        self, side: str, job: Job, judge: Callable[[Job, Found], Found] | None = None
    ) -> Callable[[], Found]:
        if side == "seed" and self.seed:
            return partial(_judged, SEED, job, self.seed, judge)
        return partial(_judged, OURS, job, sys.executable, judge)

    def _take(self, name: str, measure: Callable[[], Found]) -> None:
        known = self.ledger.find(name) is not None
        print(f"{name}: {'was measured before' if known else 'measuring'}", file=sys.stderr, flush=True)
        self.ledger.take(name, measure)

    def _clip(self) -> Path:
        return write_clip(self.work / "clip", **self.model)

    def _pictures(self, name: str, count: int) -> list[str]:
        from tqdm import tqdm

        with tqdm(desc=f"pictures of {name}", leave=False, disable=None) as line:

            def progress(done: int, total: int) -> None:
                line.total = total
                line.update(done - line.n)

            paths = write_pictures(self.work / "pictures" / name, count, SIZES[name], progress=progress)
        return list(map(str, paths))


def _judged(
    module: str, job: Job, interpreter: str | Path, judge: Callable[[Job, Found], Found] | None
) -> Found:
    found = work(module, job, interpreter)
    return found | judge(job, found) if judge else found


def _rightness(vectors: Path, job: Job, _found: Found) -> Found:
    """Adjusted Rand index (Hubert, Arabie 1985) to the truth: of images that are in a cluster in truth, and of all."""
    from sklearn.metrics import adjusted_rand_score

    truth, labels = np.load(truth_of(vectors)), np.load(job["out"])
    inside = truth >= 0
    return {
        "ari": float(adjusted_rand_score(truth[inside], labels[inside])),
        "ari_all": float(adjusted_rand_score(truth, labels)),
        "clusters": int(labels.max()) + 1,
        "outliers": float(np.mean(labels < 0)),
    }


def _agreement(first: Path, second: Path) -> Found:
    from sklearn.metrics import adjusted_rand_score

    return {"ari": float(adjusted_rand_score(np.load(first), np.load(second)))}


def _apart(outs: Mapping[str, Path]) -> Found:
    """Largest cosine distance of a vector of each precision to the seed's, and largest difference of a number."""
    seed = np.load(outs["seed"])
    seed /= np.linalg.norm(seed, axis=1, keepdims=True)
    found: Found = {}
    for side in ours.PRECISIONS:
        vectors = np.load(outs[side]).astype(np.float64)
        found[side] = float((1 - (vectors * seed).sum(axis=1)).max())
        found[f"{side}_number"] = float(np.abs(vectors - seed).max())
    return found
