"""Labels and words of concepts as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from concept_lib.modeling.naming import UNNAMED, Naming
from concept_lib.storage import StoredAsset

USER = "user"  # the method of a label that the user gave
OWN = {"labels": "own_labels", "words": "words"}  # where the labels asset keeps what the words alone say

LABELS = pa.schema(
    [
        ("concept_id", pa.int32()),
        ("label", pa.string()),
        ("named", pa.bool_()),
        ("label_confidence", pa.float64()),
        ("label_method", pa.string()),
    ]
)
WORDS = pa.schema(
    [
        ("concept_id", pa.int32()),
        ("method", pa.string()),
        ("rank", pa.int32()),
        ("word", pa.string()),
        ("score", pa.float64()),
    ]
)


def label_tables(
    concept_ids: Sequence[int],
    words: Sequence[str],
    naming: Naming | None,
    method: str,
) -> dict[str, pa.Table]:
    """``labels`` (one row a concept) and ``words`` (one row a concept, method and rank).

    Parameters
    ----------
    concept_ids
        In the order of the naming's rows.
    words
        The vocabulary.
    naming
        None without a vocabulary: then every concept stays unnamed.
    method
        Whose words make the label.
    """
    rows = [
        {
            "concept_id": concept_id,
            "label": naming.labels[i] if naming else UNNAMED,
            "named": bool(naming.named[i]) if naming else False,
            "label_confidence": float(naming.confidence[i]) if naming else None,
            "label_method": method if naming else None,
        }
        for i, concept_id in enumerate(concept_ids)
    ]
    ranked = naming and [
        {"concept_id": concept_id, "method": name, "rank": rank, "word": words[index], "score": float(score)}
        for name in naming.words
        for i, concept_id in enumerate(concept_ids)
        for rank, (index, score) in enumerate(
            zip(naming.words[name][i], naming.scores[name][i], strict=True), 1
        )
    ]
    return {
        "labels": pa.Table.from_pylist(rows, schema=LABELS),
        "words": pa.Table.from_pylist(ranked or [], schema=WORDS),
    }


def unchanged_concepts(before: StoredAsset, after: StoredAsset) -> set[int]:
    """Concepts with the same images and the same vector in two versions of ``clusters``."""
    was, now = _portraits(before), _portraits(after)
    return {
        key
        for key, (images, vector) in now.items()
        if key in was and images == was[key][0] and np.array_equal(vector, was[key][1])
    }


def _portraits(clusters: StoredAsset) -> dict[int, tuple[set[str], np.ndarray]]:
    """Images and vector of each concept."""
    members = clusters.table("members")
    found: dict[int, set[str]] = {}
    for image_id, concept_id in zip(
        members["image_id"].to_pylist(), members["concept_id"].to_pylist(), strict=True
    ):
        found.setdefault(concept_id, set()).add(image_id)
    concept_ids, vectors = clusters.table("concepts")["concept_id"].to_pylist(), clusters.array("vectors")
    return {key: (found[key], vectors[row]) for row, key in enumerate(concept_ids)}


def lasting_names(
    tables: Mapping[str, pa.Table], standing: StoredAsset | None, unchanged: set[int]
) -> dict[str, pa.Table]:
    """Let unchanged concepts keep the words and labels that they had, word for word.

    Words by c-TF-IDF depend on all images: an image elsewhere would otherwise rename a concept that it never touched.

    Parameters
    ----------
    tables
        What `label_tables` made.
    standing
        The published ``labels``, None where there are none.
    unchanged
        Concepts that they still describe.
    """
    if standing is None or not unchanged:
        return dict(tables)
    ids = pa.array(sorted(unchanged), pa.int32())
    found = {}
    for name, keys in (("words", ("concept_id", "method", "rank")), ("labels", ("concept_id",))):
        ours, theirs = tables[name], standing.table(OWN[name])
        kept = theirs.filter(pc.is_in(theirs["concept_id"], ids))
        fresh = ours.filter(pc.invert(pc.is_in(ours["concept_id"], ids)))
        found[name] = pa.concat_tables([fresh, kept]).sort_by([(key, "ascending") for key in keys])
    return found


def user_names(labels: pa.Table, names: Mapping[int, str]) -> pa.Table:
    """Put the user's names in place of labels; the confidence stays that of the words.

    Examples
    --------
    >>> row = {"concept_id": 4, "label": "dog", "named": True, "label_confidence": 0.9, "label_method": "cosine"}
    >>> user_names(pa.Table.from_pylist([row], schema=LABELS), {4: "Rex"})["label"].to_pylist()
    ['Rex']
    """
    given = {"named": True, "label_method": USER}
    rows = [
        row | {"label": names[row["concept_id"]], **given} if row["concept_id"] in names else row
        for row in labels.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=LABELS)


def best_words(words: pa.Table, method: str = "cosine", n: int = 5) -> dict[int, list[str]]:
    """Best words of each concept by one method, from the ``words`` of `label_tables`.

    Examples
    --------
    >>> rows = [(7, "cosine", 1, "cat", 0.3), (7, "cosine", 2, "dog", 0.2), (7, "ctfidf", 1, "paw", 0.9)]
    >>> best_words(pa.table(list(zip(*rows)), schema=WORDS))
    {7: ['cat', 'dog']}
    """
    found: dict[int, list[str]] = {}
    for row in words.sort_by([("concept_id", "ascending"), ("rank", "ascending")]).to_pylist():
        if row["method"] == method and row["rank"] <= n:
            found.setdefault(row["concept_id"], []).append(row["word"])
    return found
