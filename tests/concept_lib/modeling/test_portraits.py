"""Which exemplars a concept keeps, and which it chooses anew."""

from __future__ import annotations

import numpy as np
import pytest

from concept_lib.modeling.exemplars import choose_exemplars
from concept_lib.modeling.membership import Membership, Standing, dissolved
from concept_lib.modeling.portraits import Portraits, portray

N = 30


def vectors() -> np.ndarray:
    """Two groups of fifteen."""
    rng = np.random.default_rng(0)
    found = np.eye(5)[np.repeat([0, 1], 15)] + rng.normal(0, 0.2, (N, 5))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def belonging(ids: np.ndarray, fitted: np.ndarray | None = None) -> Membership:
    ids = np.asarray(ids, np.int32)
    everyone = np.ones(len(ids), bool) if fitted is None else fitted
    return Membership(ids, ids, (ids >= 0).astype(np.float32), everyone)


GROUPS = np.repeat([3, 8], 15)


def stands(portraits: Portraits, ids: np.ndarray = GROUPS, known: np.ndarray | None = None) -> Standing:
    nowhere = np.zeros((N, 2), np.float32)
    here = np.ones(N, bool) if known is None else known
    return Standing(here, belonging(ids), portraits.ranks, nowhere, nowhere, N, here)


def shown(portraits: Portraits, concept: int, ids: np.ndarray = GROUPS) -> list[int]:
    rows = np.flatnonzero((ids == concept) & (portraits.ranks > 0))
    return rows[np.argsort(portraits.ranks[rows])].tolist()


def other_choice() -> Portraits:
    """Exemplars that nobody would choose: the last rows of each group."""
    ranks = np.zeros(N, np.int32)
    ranks[[14, 13, 29, 28]] = [1, 2, 1, 2]
    return portray(vectors(), belonging(GROUPS))._replace(ranks=ranks)


def test_at_first_exemplars_are_chosen_and_make_the_vector() -> None:
    found = portray(vectors(), belonging(GROUPS), n_exemplars=4)
    for concept, rows in zip(
        (3, 8), choose_exemplars(vectors(), np.repeat([0, 1], 15), np.ones(N), n_exemplars=4), strict=True
    ):
        assert shown(found, concept) == rows.tolist()
        mean = vectors()[rows].astype(float).mean(axis=0)
        place = found.concept_ids.tolist().index(concept)
        np.testing.assert_allclose(found.vectors[place], mean / np.linalg.norm(mean), atol=1e-6)
        np.testing.assert_allclose(
            found.similarities[concept == GROUPS],
            vectors()[concept == GROUPS] @ found.vectors[place],
            atol=1e-6,
        )


def test_a_concept_of_the_same_images_keeps_its_exemplars() -> None:
    found = portray(vectors(), belonging(GROUPS), n_exemplars=2, standing=stands(other_choice()))
    assert (shown(found, 3), shown(found, 8)) == ([14, 13], [29, 28])


def test_assigned_images_change_no_exemplar_and_become_none() -> None:
    known = np.arange(N) != 20
    was = np.where(known, GROUPS, -1)
    fitted = known
    found = portray(
        vectors(), belonging(GROUPS, fitted), n_exemplars=15, standing=stands(other_choice(), was, known)
    )
    assert shown(found, 8)[:2] == [29, 28]
    assert 20 not in shown(found, 8)
    assert len(shown(found, 8)) == 14


@pytest.mark.parametrize("change", ["joined", "left"])
def test_a_concept_that_a_fitted_image_joined_or_left_chooses_anew(change: str) -> None:
    now = GROUPS.copy()
    now[0] = 8 if change == "joined" else -1
    found = portray(vectors(), belonging(now), n_exemplars=2, standing=stands(other_choice()))
    afresh = portray(vectors(), belonging(now), n_exemplars=2)
    assert shown(found, 3, now) == shown(afresh, 3, now) != [14, 13]
    assert (shown(found, 8, now) == [29, 28]) == (change == "left")


def test_a_deleted_exemplar_is_replaced_and_the_others_stay() -> None:
    left = np.arange(N) != 14
    before = stands(other_choice())
    before = Standing(
        before.known[left],
        Membership(*(column[left] for column in before.members)),
        before.ranks[left],
        before.space[left],
        before.plane[left],
        N,
        before.present[left],
    )
    found = portray(vectors()[left], belonging(GROUPS[left]), n_exemplars=2, standing=before)
    rows = shown(found, 3, GROUPS[left])
    assert rows[0] == 13
    assert len(rows) == 2
    assert shown(found, 8, GROUPS[left]) == [28, 27]


def test_where_no_fitted_image_is_left_assigned_ones_stand_in() -> None:
    fitted = GROUPS == 3
    found = portray(vectors(), belonging(GROUPS, fitted), n_exemplars=2)
    assert len(shown(found, 8)) == 2


def test_a_concept_of_one_image_dies() -> None:
    found = dissolved(belonging(np.array([4, 9, 9, -1])))
    assert found.concept_ids.tolist() == [-1, 9, 9, -1]
    assert found.raw_ids.tolist() == [-1, 9, 9, -1]
    assert found.probabilities.tolist() == [0, 1, 1, 0]


def test_a_merged_concept_counts_as_one() -> None:
    merged = Membership(
        np.array([4, 9, -1], np.int32),
        np.array([4, 4, -1], np.int32),
        np.ones(3, np.float32),
        np.ones(3, bool),
    )
    assert dissolved(merged).raw_ids.tolist() == [4, 9, -1]
