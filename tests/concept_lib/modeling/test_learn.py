"""A fit of a sample against the fit of all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from concept_lib.modeling.fit import Fit, fit_concepts, members_of
from concept_lib.modeling.learn import fit_all, learn_layouts
from concept_lib.modeling.membership import Membership, Standing
from concept_lib.modeling.portraits import portray
from concept_lib.modeling.reduce import reduce
from concept_lib.modeling.standing import carry_on

N, SAMPLE = 1000, 400
SIZES = [300, 250, 200, 150, 100]
RULES = {"n_neighbors": 10, "min_concept_size": 40}


def collection(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in five groups, and the true group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(5), SIZES))[:n]
    vectors = np.eye(24)[truth] + rng.normal(0, 0.09, (n, 24))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), truth


def keys(n: int) -> np.ndarray:
    return np.random.default_rng(11).permutation(5000)[:n]


@pytest.fixture(scope="module")
def both() -> tuple:
    vectors, _ = collection()
    return fit_all(vectors, **RULES), fit_all(vectors, fit_sample=SAMPLE, **RULES)


def test_a_sample_finds_what_all_find_and_places_every_image(both: tuple) -> None:
    _, truth = collection()
    full, part = both
    assert full.fitted.all()
    assert part.fitted.sum() == SAMPLE
    assert np.isfinite(part.space).all()
    assert np.isfinite(part.plane).all()
    assert part.concepts.shape == part.probabilities.shape == (N,)
    assert part.concepts.max() == full.concepts.max() == 4
    assert adjusted_rand_score(full.concepts, part.concepts) > 0.95
    assert adjusted_rand_score(truth, part.concepts) > 0.95
    assert ((part.concepts < 0) == (part.probabilities == 0)).all()


def test_what_is_placed_lies_in_its_concept(both: tuple) -> None:
    part = both[1]
    for layout in (part.space, part.plane):
        centres = np.stack([np.median(layout[part.fitted & (part.concepts == c)], axis=0) for c in range(5)])
        placed = ~part.fitted & (part.concepts >= 0)
        nearest = np.linalg.norm(layout[placed][:, None] - centres, axis=2).argmin(axis=1)
        assert np.mean(nearest == part.concepts[placed]) > 0.99


def test_up_to_the_bound_all_are_fitted_as_without_one(both: tuple) -> None:
    vectors, _ = collection()
    exact = fit_all(vectors, fit_sample=N, **RULES)
    for ours, theirs in zip(exact, both[0], strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(exact.space, reduce(vectors, n_neighbors=10, n_components=5))


def test_the_same_contents_give_the_same_fit_in_any_order() -> None:
    vectors, _ = collection(300)
    order = np.random.default_rng(5).permutation(300)
    ours = learn_layouts(vectors, keys(300), fit_sample=120, n_neighbors=8)
    theirs = learn_layouts(vectors[order], keys(300)[order], fit_sample=120, n_neighbors=8)
    assert ours.sample is not None
    assert theirs.sample is not None
    assert set(ours.sample.rows.tolist()) == set(order[theirs.sample.rows].tolist())
    again = learn_layouts(vectors, keys(300), fit_sample=120, n_neighbors=8)
    assert np.array_equal(ours.space, again.space)
    assert np.array_equal(ours.plane, again.plane)


def test_sizes_are_those_of_the_collection_scaled_to_the_sample(both: tuple) -> None:
    vectors, _ = collection()
    learnt = learn_layouts(vectors, keys(N), fit_sample=SAMPLE, n_neighbors=10)

    def found(size: int | str) -> Fit:
        return fit_concepts(
            learnt.space, np.full(N, -2), 0, min_concept_size=size, vectors=vectors, sample=learnt.sample
        )

    assert found(40).min_concept_size == 40  # 16 of the sample
    assert found("auto").min_concept_size == 20  # of twelve, five of the sample would be too few: eight of it
    few = found(130)  # 52 of the sample: the group of a hundred has forty there
    assert few.min_concept_size == 130
    assert len(few.clusters) == 4


@pytest.fixture(scope="module")
def stands() -> tuple[np.ndarray, Standing]:
    """A sampled fit of the first 900 images, as it stands for all."""
    vectors, _ = collection()
    learnt = learn_layouts(vectors[:900], keys(900), fit_sample=SAMPLE, n_neighbors=10)
    fit = fit_concepts(
        learnt.space,
        np.full(900, -2),
        20,
        min_concept_size=40,
        vectors=vectors[:900],
        sample=learnt.sample,
    )
    members = members_of(fit, np.full(900, -2), None, pins=set())
    return vectors, Standing(
        np.ones(900, bool),
        members,
        portray(vectors[:900], members).ranks,
        learnt.space,
        learnt.plane,
        900,
        np.ones(900, bool),
    )


def seen_from(standing: Standing, rows: np.ndarray) -> Standing:
    """A standing fit from other images: rows of the collection, of which the first 900 were there."""

    def taken(column: np.ndarray, default: float) -> np.ndarray:
        blank = np.full((N - 900, *column.shape[1:]), default, column.dtype)
        return np.concatenate([column, blank])[rows]

    was = standing.members
    return Standing(
        rows < 900,
        Membership(
            taken(was.raw_ids, -1),
            taken(was.concept_ids, -1),
            taken(was.probabilities, 0),
            taken(was.fitted, False),
        ),
        taken(standing.ranks, 0),
        taken(standing.space, np.nan),
        taken(standing.plane, np.nan),
        900,
        taken(standing.present, False),
    )


def test_what_the_fit_placed_is_no_addition(stands: tuple) -> None:
    vectors, standing = stands
    carried = carry_on(vectors[:900], standing, n_neighbors=10)
    assert carried.change == (900, 0, 0, 0)
    assert np.array_equal(carried.members.concept_ids, standing.members.concept_ids)
    assert np.array_equal(carried.space, standing.space)


def test_additions_and_deletions_count_whether_fitted_or_placed(stands: tuple) -> None:
    vectors, standing = stands
    placed, fitted = (np.flatnonzero(standing.members.fitted == value) for value in (False, True))
    rows = np.setdiff1d(np.arange(945), np.concatenate([placed[:20], fitted[:10]]))
    carried = carry_on(vectors[rows], seen_from(standing, rows), n_neighbors=10)
    assert carried.change[:3] == (900, 45, 30)
    old = rows < 900
    assert np.array_equal(carried.members.concept_ids[old], standing.members.concept_ids[rows[old]])
    _, truth = collection()
    assert adjusted_rand_score(truth[rows[~old]], carried.members.concept_ids[~old]) > 0.95
    assert not carried.members.fitted[~old].any()


def test_only_fitted_images_are_exemplars(stands: tuple) -> None:
    _, standing = stands
    assert (standing.ranks > 0).any()
    assert standing.members.fitted[standing.ranks > 0].all()


def test_a_new_fit_of_a_sample_keeps_ids_by_all_survivors(stands: tuple) -> None:
    vectors, standing = stands
    now = seen_from(standing, np.arange(N))
    learnt = learn_layouts(vectors, keys(N), fit_sample=SAMPLE, n_neighbors=10, standing=now.plane)
    before = np.where(now.known, now.members.raw_ids, -2)
    fit = fit_concepts(learnt.space, before, 30, min_concept_size=40, vectors=vectors, sample=learnt.sample)
    assert set(fit.clusters) == {20, 21, 22, 23, 24}
    kept = (before >= 0) & (fit.ids >= 0)
    assert np.mean(fit.ids[kept] == before[kept]) > 0.98
    free = learn_layouts(vectors, keys(N), fit_sample=SAMPLE, n_neighbors=10)
    moved, unbound = (np.linalg.norm(found.plane[:900] - now.plane[:900], axis=1) for found in (learnt, free))
    assert np.median(moved) < 0.5 * np.median(unbound)


def test_ids_go_by_the_placed_where_no_fitted_image_survives(stands: tuple) -> None:
    vectors, standing = stands
    vectors = vectors[:900]
    learnt = learn_layouts(vectors, keys(900), fit_sample=SAMPLE, n_neighbors=10)
    assert learnt.sample is not None
    before = standing.members.raw_ids.copy()
    before[learnt.sample.rows] = -2
    fit = fit_concepts(learnt.space, before, 30, min_concept_size=40, vectors=vectors, sample=learnt.sample)
    assert np.array_equal(fit.ids, standing.members.raw_ids)
