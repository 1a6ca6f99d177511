"""Synonyms and hypernyms of the kinds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("relations.toml")


@dataclass(frozen=True, slots=True)
class Relations:
    """Words that are right for a kind, though not its name.

    Attributes
    ----------
    synonyms, hypernyms
        Of each kind that has some.
    """

    synonyms: dict[str, list[str]]
    hypernyms: dict[str, list[str]]

    def words(self) -> list[str]:
        """All of them, sorted."""
        return sorted(
            {word for part in (self.synonyms, self.hypernyms) for row in part.values() for word in row}
        )


def load_relations(kinds: Sequence[str]) -> Relations:
    """Relations of the given kinds; a synonym that is itself one of the kinds is left out.

    Examples
    --------
    >>> load_relations(["sunflower", "cup"]).hypernyms
    {'sunflower': ['plant', 'flower'], 'cup': ['household object']}
    """
    table = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    known = set(kinds)
    synonyms = {
        kind: [word for word in table["synonyms"].get(kind, []) if word not in known] for kind in kinds
    }
    hypernyms = {
        kind: [word for word, members in table["hypernyms"].items() if kind in members] for kind in kinds
    }
    return Relations(
        {kind: words for kind, words in synonyms.items() if words},
        {kind: words for kind, words in hypernyms.items() if words},
    )


def load_covers(nouns: Sequence[str]) -> dict[str, list[str]]:
    """Narrower nouns of each general one among the given nouns, those of a narrower general noun among them.

    Examples
    --------
    >>> load_covers(["food", "fruit", "kiwi", "pizza"])
    {'fruit': ['kiwi'], 'food': ['fruit', 'kiwi', 'pizza']}
    """
    table = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["hypernyms"]

    def below(noun: str) -> set[str]:
        members = table.get(noun, [])
        return set(members).union(*(below(member) for member in members))

    return {noun: sorted(below(noun) & set(nouns)) for noun in table if noun in set(nouns)}


def targets(
    kinds: Sequence[str], words: Sequence[str], relations: Relations, *, synonyms: float, hypernyms: float
) -> np.ndarray:
    """What a picture of each kind should say, float32 (n_kinds, n_words), rows sum to 1.

    Parameters
    ----------
    synonyms, hypernyms
        Shares of a row that they have together, each in 0..1; the kind's name has the rest.

    Examples
    --------
    >>> relations = Relations({"cup": ["mug"]}, {})
    >>> targets(["cup"], ["cup", "mug", "fish"], relations, synonyms=0.25, hypernyms=0.5).tolist()
    [[0.75, 0.25, 0.0]]
    """
    place = {word: i for i, word in enumerate(words)}
    found = np.zeros((len(kinds), len(words)), np.float32)
    for row, kind in enumerate(kinds):
        for part, share in ((relations.synonyms, synonyms), (relations.hypernyms, hypernyms)):
            for word in part.get(kind, []):
                found[row, place[word]] += share / len(part[kind])
        found[row, place[kind]] += 1 - found[row].sum()
    return found
