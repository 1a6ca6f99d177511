"""What a new fit is told of the standing exemplars."""

from __future__ import annotations

import pyarrow as pa

from concept_lib.database.present import standing_exemplars


def test_a_concept_that_lost_an_image_stands_no_more() -> None:
    members = pa.Table.from_pylist(
        [
            {"image_id": "a", "concept_id": 7, "exemplar_rank": 1},
            {"image_id": "b", "concept_id": 7, "exemplar_rank": None},
            {"image_id": "c", "concept_id": 9, "exemplar_rank": 2},
            {"image_id": "d", "concept_id": 9, "exemplar_rank": 1},
            {"image_id": "e", "concept_id": -1, "exemplar_rank": None},
            {"image_id": "gone", "concept_id": 7, "exemplar_rank": 2},
        ]
    )
    standing = standing_exemplars(["a", "b", "c", "d", "e", "new"], members)
    assert standing.concepts.tolist() == [-1, -1, 9, 9, -1, -1]
    assert standing.ranks.tolist() == [0, 0, 2, 1, 0, 0]
