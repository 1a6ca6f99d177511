"""One picture a concept."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from PIL import Image

from concept_assets.assets.concepts import clusters
from concept_assets.columns import column_schema
from concept_assets.inputs import key, setting
from concept_assets.previews import PREVIEW, preview, readable
from concept_assets.progress import reporter
from concept_assets.resources import StorageResource
from concept_assets.versioning import Upstream, current
from concept_lib.database.members import exemplars_of, largest_concepts
from concept_lib.database.present import collage_name
from concept_lib.errors import ConceptError
from concept_lib.pictures.collage import encode_jpeg, make_collage
from concept_lib.pictures.preview import MAX_CELLS, contact_sheet, small_webp
from concept_lib.storage import Contents, StoredAsset

CODE_VERSION = "2"
SETTINGS = setting("collages")


@dg.asset(
    deps=[clusters, key(SETTINGS)],
    group_name="pictures",
    kinds={"python", "file"},
    owners=["team:concept-atlas"],
    tags={"subject": "concepts", "cost": "light"},
    metadata={"dagster/column_schema": column_schema("exemplar_collages")},
    code_version=CODE_VERSION,
)
def exemplar_collages(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """A picture of each concept: its exemplars, whole and in justified rows.

    **Rows:** one JPEG a concept, `concept_00012.jpg` for concept 12; the column `collage` of the table `concepts` says
    where each lies.

    **Units:** `collages.width` pixels wide at most; made of thumbnails of 256 pixels.
    """
    session = storage.session

    def compute(upstream: Upstream) -> Contents:
        exemplars = exemplars_of(upstream["clusters"].table("members"))
        progress = reporter(context, "collages")
        files: dict[str, bytes] = {}
        for concept_id, image_ids in exemplars.items():
            pictures = [_thumbnail(session.home.thumbnail(image_id)) for image_id in image_ids]
            collage = make_collage(pictures, width=session.settings.collages.width)
            files[collage_name(concept_id)] = encode_jpeg(collage)
            progress(len(files), len(exemplars))
        return Contents(files=files)

    def metadata(stored: StoredAsset) -> Mapping[str, Any]:
        concepts = current(session.home, "clusters").table("concepts")
        n_collages = len(stored.digests)
        counts = {"dagster/row_count": n_collages, "collages": n_collages}
        return {PREVIEW: _preview(stored, largest_concepts(concepts, MAX_CELLS)), **counts}

    return session.run(context, compute, metadata)


def _thumbnail(path: Path) -> Image.Image:
    """Read a thumbnail; a damaged one is removed, so that the next refresh makes it anew."""
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ConceptError(
            f"the thumbnail {path} was damaged and is removed; run the refresh again"
        ) from error


def _preview(stored: StoredAsset, largest: Sequence[tuple[int, int]]) -> dg.MarkdownMetadataValue:
    """The collages of the largest concepts on one sheet."""
    collages = [readable(stored.file(collage_name(concept_id))) for concept_id, _ in largest]
    sheet = contact_sheet(
        collages,
        [f"concept {concept_id}" for concept_id, _ in largest],
        [f"{n_images:,} images" for _, n_images in largest],
    )
    return preview(small_webp(sheet), "the largest concepts")
