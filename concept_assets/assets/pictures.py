"""One picture a concept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from PIL import Image

from concept_assets.assets.concepts import clusters
from concept_assets.inputs import key, setting
from concept_assets.progress import reporter
from concept_assets.resources import StorageResource
from concept_assets.versioning import Upstream
from concept_lib.database.members import exemplars_of
from concept_lib.database.present import collage_name
from concept_lib.errors import ConceptError
from concept_lib.pictures.collage import encode_jpeg, make_collage
from concept_lib.storage import Contents, StoredAsset

CODE_VERSION = "1"
SETTINGS = setting("collages")


@dg.asset(
    deps=[clusters, key(SETTINGS)],
    group_name="pictures",
    kinds={"python", "file"},
    owners=["team:concept-atlas"],
    code_version=CODE_VERSION,
)
def exemplar_collages(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> dg.MaterializeResult[None]:
    """A JPEG a concept, made of its exemplars' thumbnails with their aspect ratios kept."""
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

    return session.run(context, compute, _metadata)


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


def _metadata(stored: StoredAsset) -> Mapping[str, Any]:
    return {"collages": len(stored.digests)}
