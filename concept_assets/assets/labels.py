"""Names of the concepts: words, and what the user says."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pyarrow.compute as pc

from concept_assets.assets.concepts import clusters
from concept_assets.assets.embeddings import image_embeddings, vocabulary_embeddings
from concept_assets.assets.vocabulary import vocabulary
from concept_assets.columns import column_schema
from concept_assets.inputs import CURATION, key, setting
from concept_assets.previews import PREVIEW, preview, readable
from concept_assets.progress import warn
from concept_assets.resources import Session, StorageResource
from concept_assets.versioning import Upstream, current
from concept_lib.curation import names_in_force
from concept_lib.database.members import exemplars_of, largest_concepts
from concept_lib.database.naming import (
    best_words,
    label_tables,
    lasting_names,
    unchanged_concepts,
    user_names,
)
from concept_lib.embedding.model_files import DEMO
from concept_lib.errors import ConceptError
from concept_lib.modeling.naming import Hedging, Naming, name_concepts
from concept_lib.pictures.collage import make_collage
from concept_lib.pictures.preview import CELL, MAX_CELLS, contact_sheet, small_webp
from concept_lib.settings import Labels
from concept_lib.storage import Contents, Home, StoredAsset

CODE_VERSION = "2"
LABELS = setting("labels")
BUNDLED = ("nouns", "wordnet")  # vocabularies of thousands of words
MAX_ROWS = 30  # of the table on the page


@dg.asset(
    deps=[image_embeddings, clusters, vocabulary, vocabulary_embeddings, key(LABELS), key(CURATION)],
    group_name="concepts",
    kinds={"python", "parquet"},
    owners=["team:concept-atlas"],
    tags={"subject": "concepts", "cost": "light"},
    metadata={"dagster/column_schema": column_schema("labels")},
    code_version=CODE_VERSION,
)
def labels(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """Names of the concepts: their nearest words by cosine and by c-TF-IDF; the best words shown are the label.

    **Rows:** one a concept (table `concepts`), and one a concept, method and rank (table `concept_words`).

    **Units:** `label_confidence` 0 to 1; `score` a cosine, -1 to 1, or a c-TF-IDF weight.

    A concept whose confidence is below the least one is unnamed. One whose images stay the same keeps its words and
    its label. A name that the user gave wins over any words.
    """
    session = storage.session
    section = session.settings.labels

    def compute(upstream: Upstream) -> Contents:
        concept_ids = upstream["clusters"].table("concepts")["concept_id"].to_pylist()
        words = upstream["vocabulary"].table("words")["word"].to_pylist()
        naming = _name(upstream, concept_ids, words, section) if words else None
        tables = label_tables(concept_ids, words, naming, section.method)
        tables = lasting_names(tables, *_standing_names(session, upstream))
        tables["own_labels"] = tables["labels"]
        tables["labels"] = user_names(tables["labels"], names_in_force(session.inputs.actions))
        named = tables["labels"]["named"].to_pylist()
        context.log.info(f"{named.count(True):,} of {len(named):,} concepts are named")
        if naming and upstream["image_embeddings"].info["model"] == DEMO:
            _doubt_the_demo_model(context, named, session.settings.vocabulary.source)
        return Contents(
            tables=tables, info={**_recipe(session, upstream), "metrics": naming.metrics if naming else {}}
        )

    def metadata(stored: StoredAsset) -> Mapping[str, Any]:
        return {**_shown(session.home, current(session.home, "clusters"), stored), **_labels(stored)}

    return session.run(context, compute, metadata)


def _recipe(session: Session, upstream: Upstream) -> dict[str, str]:
    """All but the concepts that bears on a label."""
    words = {name: upstream[name].data_version for name in ("vocabulary", "vocabulary_embeddings")}
    return {"code": CODE_VERSION, "settings": session.inputs.versions[LABELS], **words}


def _standing_names(session: Session, upstream: Upstream) -> tuple[StoredAsset | None, set[int]]:
    """The published labels, and the concepts that they still describe."""
    stored, before = session.load_published("labels"), session.load_published("clusters")
    recipe = _recipe(session, upstream)
    if stored is None or before is None or any(stored.info.get(name) != recipe[name] for name in recipe):
        return None, set()
    return stored, unchanged_concepts(before, upstream["clusters"])


def _doubt_the_demo_model(context: dg.AssetExecutionContext, named: Sequence[bool], source: str) -> None:
    """Say what to do where most concepts are of kinds that the demo model has never seen, or have no word."""
    n_unnamed, n_concepts = named.count(False), len(named)
    if 2 * n_unnamed <= n_concepts:
        return
    bundled = "the demo model knows few kinds of things; --model clip-ViT-B-32 is the model for these images"
    why = bundled if source in BUNDLED else "no word of the vocabulary is near them; give it more words"
    warn(context, f"{n_unnamed} of {n_concepts} concepts are unnamed, since {why}")


def _name(upstream: Upstream, concept_ids: Sequence[int], words: Sequence[str], section: Labels) -> Naming:
    """Load the arrays and name the concepts."""
    of_image = upstream["clusters"].table("members")["concept_id"].to_numpy()
    position = {concept_id: row for row, concept_id in enumerate(concept_ids)}
    embeddings, word_embeddings = upstream["image_embeddings"], upstream["vocabulary_embeddings"]
    if embeddings.info["dim"] != word_embeddings.info["dim"]:
        raise ConceptError(
            f"image vectors of {embeddings.info['model']} have {embeddings.info['dim']} dimensions and word vectors "
            f"{word_embeddings.info['dim']}; choose the --model that made the image vectors, or --vocabulary none"
        )
    hedging = word_embeddings.info["hedging"]
    return name_concepts(
        np.asarray(upstream["clusters"].array("vectors")),
        np.asarray(embeddings.array("vectors")),
        np.array([position.get(concept_id, -1) for concept_id in of_image], np.int32),
        words,
        np.asarray(word_embeddings.array("vectors")),
        method=section.method,
        n_words=section.n_words,
        n_shown=section.n_shown,
        min_confidence=section.min_confidence,
        midpoint=word_embeddings.info["midpoint"],
        scale=word_embeddings.info["scale"],
        hedging=Hedging(**hedging) if hedging else None,
    )


def _labels(stored: StoredAsset) -> Mapping[str, Any]:
    table = stored.table("labels")
    return {
        "dagster/row_count": table.num_rows,
        "concepts": table.num_rows,
        "named": pc.sum(table["named"]).as_py() or 0,
        **stored.info["metrics"],
    }


def _shown(home: Home, clusters: StoredAsset, stored: StoredAsset) -> Mapping[str, Any]:
    """The largest concepts by their names: a picture, and a table."""
    exemplars = exemplars_of(clusters.table("members"))
    largest = largest_concepts(clusters.table("concepts"), MAX_ROWS)
    labels = {row["concept_id"]: row for row in stored.table("labels").to_pylist()}
    words = best_words(stored.table("words"))
    pictures, titles, subtitles = [], [], []
    for concept_id, n_images in largest[:MAX_CELLS]:
        found = [readable(home.thumbnail(image_id)) for image_id in exemplars[concept_id]]
        shown = [picture for picture in found if picture is not None]
        pictures.append(make_collage(shown, width=2 * CELL[0]) if shown else None)
        titles.append(labels[concept_id]["label"])
        subtitles.append(f"concept {concept_id}, {n_images:,} images")
    sheet = contact_sheet(pictures, titles, subtitles)
    rows = [
        {
            "concept": concept_id,
            "label": labels[concept_id]["label"],
            "images": n_images,
            "confidence": _rounded(labels[concept_id]["label_confidence"]),
            "nearest words": ", ".join(words.get(concept_id, [])),
        }
        for concept_id, n_images in largest
    ]
    table = {"largest": dg.MetadataValue.table([dg.TableRecord(row) for row in rows])} if rows else {}
    return {PREVIEW: preview(small_webp(sheet), "the largest concepts with their names"), **table}


def _rounded(confidence: float | None) -> float | str:
    """As a table shows it; Dagster's takes no empty value."""
    return "" if confidence is None else round(confidence, 2)
