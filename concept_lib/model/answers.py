"""Answers of a ConceptModel to rows that come from far: pictures and search terms as texts, neither trusted.

A picture is base64 of a file. No text is ever taken for a path or an address, and a row that cannot be answered costs
the others nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from concept_lib.images.files import UnusableError, over_limit
from concept_lib.model.fitting import given_vectors, placed

if TYPE_CHECKING:
    from concept_lib.model.estimator import ConceptModel

MAX_PICTURE = 50_000_000  # bytes of a picture's file; its text is a third longer
MAX_TERM = 1_000  # characters; text towers read less


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one row.

    Attributes
    ----------
    concepts
        Best first; empty for an image that belongs to none.
    labels, similarities
        Their names and cosines.
    problem
        Why there is no answer; None where there is one.
    """

    concepts: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    similarities: list[float] = field(default_factory=list)
    problem: str | None = None


def answers(
    model: ConceptModel, pictures: Sequence[object], terms: Sequence[object], top_n: int = 5
) -> list[Answer]:
    """Answer each row by the concept of its picture, or by the concepts nearest to its search term.

    Parameters
    ----------
    model
        Fitted or loaded.
    pictures, terms
        As many of each: in each row base64 of a picture's file, or a text. What is no text, or a blank one, counts as
        not given.
    top_n
        Concepts for a search term, at least 1.

    Examples
    --------
    >>> from concept_lib.images.sample import render
    >>> from concept_lib.model import ConceptModel
    >>> images = [render(kind, seed, 96) for kind in ("beach", "pizza") for seed in range(12)]
    >>> model = ConceptModel(embedding_model="demo", progress=False).fit(images, docs=["beach", "pizza"])
    >>> pizza, path = answers(model, [None, "/photos/01.jpg"], ["pizza", None], top_n=1)
    >>> pizza.labels
    ['pizza']
    >>> path.problem
    'the image is not base64 of a picture file'
    """
    found: dict[int, Answer] = {}
    with TemporaryDirectory() as folder:
        files: dict[int, Path] = {}
        for row, (picture, term) in enumerate(zip(pictures, terms, strict=True)):
            try:
                image, text = _one_of(picture, term)
                if image is not None:
                    data = _decoded(image)
                    files[row] = Path(folder) / f"{row}"
                    files[row].write_bytes(data)
                elif text is not None:
                    found[row] = _nearest(model, text, top_n)
            except UnusableError as error:
                found[row] = Answer(problem=error.reason)
        found |= _placed(model, files)
    return [found[row] for row in range(len(pictures))]


def _one_of(picture: object, term: object) -> tuple[str | None, str | None]:
    """The one text that is given."""
    given = [value if isinstance(value, str) and value.strip() else None for value in (picture, term)]
    if (given[0] is None) == (given[1] is None):
        raise UnusableError("failed", "give either an image or a search_term")
    return given[0], given[1]


def _decoded(text: str) -> bytes:
    """Bytes of a picture's file; what is longer than the limit is not even decoded."""
    if len(text) > MAX_PICTURE * 3 // 2:  # lines may be broken
        raise over_limit(MAX_PICTURE)
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise UnusableError("failed", "the image is not base64 of a picture file") from None
    if len(data) > MAX_PICTURE:
        raise over_limit(MAX_PICTURE)
    return data


def _nearest(model: ConceptModel, term: str, top_n: int) -> Answer:
    if len(term) > MAX_TERM:
        raise UnusableError("failed", f"the search_term is longer than {MAX_TERM:,} characters")
    return _answer(model, model.find_concepts(term, top_n))


def _placed(model: ConceptModel, files: Mapping[int, Path]) -> dict[int, Answer]:
    """Concepts of pictures, decoded in processes of their own."""
    state = model._fitted()
    given = given_vectors(model._parts(), list(files.values()), None, None)
    concepts = placed(state, given)
    place = {int(concept): row for row, concept in enumerate(state.concept_ids)}
    found: dict[int, Answer] = {}
    for at, row in enumerate(files):
        concept = int(concepts[at])
        if at in given.reasons:
            found[row] = Answer(problem=f"the image is no picture to use: {given.reasons[at]}")
        elif concept < 0:
            found[row] = Answer()
        else:
            cosine = float(state.concept_vectors[place[concept]] @ given.vectors[at])
            found[row] = _answer(model, [(concept, cosine)])
    return found


def _answer(model: ConceptModel, best: Sequence[tuple[int, float]]) -> Answer:
    labels = model._fitted().labels
    return Answer(
        [concept for concept, _ in best],
        [labels.get(concept, f"Concept {concept}") for concept, _ in best],
        [cosine for _, cosine in best],
    )
