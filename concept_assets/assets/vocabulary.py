"""The nouns that may name a concept."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow as pa

from concept_assets.columns import column_schema
from concept_assets.inputs import VOCABULARY_SOURCE, key, setting
from concept_assets.resources import StorageResource
from concept_assets.versioning import Upstream
from concept_lib.storage import Contents, StoredAsset
from concept_lib.vocabulary import load_vocabulary

CODE_VERSION = "1"
SETTINGS = setting("vocabulary")


@dg.asset(
    deps=[key(VOCABULARY_SOURCE), key(SETTINGS)],
    group_name="vocabulary",
    kinds={"python", "parquet"},
    owners=["team:concept-atlas"],
    tags={"subject": "words", "cost": "light"},
    metadata={"dagster/column_schema": column_schema("vocabulary")},
    code_version=CODE_VERSION,
)
def vocabulary(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """The nouns that may name a concept: the bundled ones, WordNet's, or a file's; or none.

    **Rows:** one a distinct word, in the order of its source. Without a vocabulary there are none, and concepts stay
    unnamed.

    **Units:** `word_id` is the position in the source, from 0.
    """
    section = storage.session.settings.vocabulary

    def compute(_: Upstream) -> Contents:
        found = load_vocabulary(section.source, sample=section.sample, seed=section.seed)
        table = pa.table(
            {
                "word": pa.array(found.words, pa.string()),
                "word_id": pa.array(range(len(found.words)), pa.int32()),
                "source": pa.array([found.source] * len(found.words), pa.string()),
            }
        )
        return Contents(tables={"words": table})

    return storage.session.run(context, compute, _metadata)


def _metadata(stored: StoredAsset) -> Mapping[str, Any]:
    words = stored.table("words")["word"]
    first = ", ".join(words[:10].to_pylist())
    return {"dagster/row_count": len(words), "words": len(words), "first_words": first}
