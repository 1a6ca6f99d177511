"""Which concepts keep their words, and what the user's names change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from concept_lib.database.naming import LABELS, WORDS, lasting_names, unchanged_concepts, user_names
from concept_lib.storage import Contents, Home, StoredAsset


def concepts(home: Home, members: dict[str, int], vectors: dict[int, list[float]]) -> StoredAsset:
    return home.save_asset(
        "clusters",
        Contents(
            arrays={"vectors": np.array(list(vectors.values()), np.float32)},
            tables={
                "members": pa.table({"image_id": list(members), "concept_id": list(members.values())}),
                "concepts": pa.table({"concept_id": list(vectors)}),
            },
        ),
    )


def names(**labels: str) -> dict[str, pa.Table]:
    ids = [int(key[1:]) for key in labels]
    rows = [
        {"concept_id": i, "label": label, "named": True, "label_confidence": 0.7, "label_method": "ctfidf"}
        for i, label in zip(ids, labels.values(), strict=True)
    ]
    words = [
        {"concept_id": i, "method": "ctfidf", "rank": rank, "word": f"{label}{rank}", "score": 1 / rank}
        for i, label in zip(ids, labels.values(), strict=True)
        for rank in (1, 2)
    ]
    return {
        "labels": pa.Table.from_pylist(rows, schema=LABELS),
        "words": pa.Table.from_pylist(words, schema=WORDS),
    }


def test_a_concept_is_unchanged_when_its_images_and_its_vector_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    members = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "f": 2, "x": -1}
    before = concepts(home, members, {0: [1, 0], 1: [0, 1], 2: [0.6, 0.8]})
    after = concepts(
        home, members | {"g": 1, "x": 3, "y": 3}, {0: [1, 0], 1: [0, 1], 2: [0.8, 0.6], 3: [-1, 0]}
    )
    assert unchanged_concepts(before, after) == {0}
    assert unchanged_concepts(before, before) == {0, 1, 2}


def test_unchanged_concepts_keep_label_and_words_and_no_others_do(tmp_path: Path) -> None:
    before = names(c0="cat", c1="dog", c2="gone")
    standing = Home(tmp_path).save_asset(
        "labels", Contents(tables={"own_labels": before["labels"], "words": before["words"]})
    )
    found = lasting_names(names(c0="lion", c1="wolf", c3="new"), standing, {1})
    assert found["labels"]["label"].to_pylist() == ["lion", "dog", "new"]
    assert found["words"]["word"].to_pylist() == ["lion1", "lion2", "dog1", "dog2", "new1", "new2"]
    assert lasting_names(names(c0="lion"), None, set())["labels"]["label"].to_pylist() == ["lion"]


def test_a_users_name_changes_the_label_alone() -> None:
    labels = names(c0="cat", c1="dog")["labels"]
    found = user_names(labels, {1: "Rex", 9: "nobody"}).to_pylist()
    assert found[0] == labels.to_pylist()[0]
    assert found[1] == labels.to_pylist()[1] | {"label": "Rex", "label_method": "user"}
