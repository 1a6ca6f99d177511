"""What is in the folder, and which of it can be used."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import pyarrow.compute as pc

from concept_assets.columns import column_schema
from concept_assets.failures import in_one_line
from concept_assets.inputs import IMAGE_FOLDER, key, setting
from concept_assets.progress import reporter, warn
from concept_assets.resources import Session, StorageResource
from concept_assets.versioning import Upstream
from concept_lib.errors import ConceptError
from concept_lib.images.contents import Content, decode_new, known_contents, usable_paths
from concept_lib.images.loss import loss
from concept_lib.settings import Embedding
from concept_lib.settings_sources import kept
from concept_lib.storage import Contents, Home, StoredAsset

CODE_VERSION = "1"
SETTINGS = setting("images")
NOTHING_IS_LOST = "nothing_is_lost"


@dg.asset(
    deps=[key(IMAGE_FOLDER), key(SETTINGS)],
    group_name="images",
    kinds={"python", "parquet"},
    owners=["team:concept-atlas"],
    tags={"subject": "images", "cost": "heavy"},
    metadata={"dagster/column_schema": column_schema("images")},
    code_version=CODE_VERSION,
    check_specs=[
        dg.AssetCheckSpec(
            NOTHING_IS_LOST,
            asset="images",
            blocking=True,
            description="No folder is out of reach and no more than half of the images vanished. Looked at before "
            "anything is stored: an unmounted disk is no deletion.",
        )
    ],
)
def images(
    context: dg.AssetExecutionContext, storage: StorageResource
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    """Every picture file with what became of it, and every distinct image with its size and thumbnail.

    **Rows:** one a file of the folder that claims to be a picture (table `image_files`), and one a distinct usable
    image (table `images`). An image is a content: copies of one file are one image. A file that cannot be used has a
    row that says why.

    **Units:** `width` and `height` in pixels, after EXIF orientation; `bytes` in bytes. A thumbnail is 256 pixels at
    most.

    **Cost:** only new contents are decoded; a renamed or touched file costs nothing.
    """
    session = storage.session
    lost = _loss(session)
    yield dg.AssetCheckResult(
        check_name=NOTHING_IS_LOST,
        passed=lost is None or session.accept_loss,
        metadata={"lost": lost or "nothing", "accepted": lost is not None and session.accept_loss},
    )
    if lost is not None and not session.accept_loss:
        with in_one_line(session.home):
            raise ConceptError(
                f"{session.inputs.folder}: {lost}, so nothing is published; mount or mend it, or let it go with: "
                "concept refresh --accept-loss"
            )

    def compute(_: Upstream) -> Contents:
        with session.decode_pool() as pool:
            found = decode_new(
                session.inputs.folder,
                session.inputs.catalog,
                _known(storage),
                session.home.thumbnail,
                pool,
                reporter(context, "images decoded"),
                pixels=session.pixels,
                pixel_size=_pixel_size(session.settings.embedding),
            )
        if not found.contents:
            warn(
                context,
                f"{session.inputs.folder} holds no usable picture yet; put some there, and refresh again",
            )
        context.log.info(f"decoded {found.n_decoded:,} of {len(found.contents):,} images")
        return Contents(
            tables=found.tables(),
            info={"code_version": CODE_VERSION, "n_other": session.inputs.catalog.n_other},
            counts={"n_decoded": found.n_decoded},
        )

    def is_usable(stored: StoredAsset) -> bool:
        return stored.is_whole() and has_thumbnails(session.home, stored)

    yield session.run(context, compute, _metadata, is_usable)


def _pixel_size(section: Embedding) -> int | None:
    """What the encoder will ask for, so that it need not decode again; None where no encoder will run."""
    from concept_lib.embedding.model_files import pixel_size

    return None if section.embeddings is not None else pixel_size(section.model, section.revision)


def _loss(session: Session) -> str | None:
    """What the folder lost since it was published; to look at another folder is a wish and no loss."""
    if session.restored is not None:
        return None
    row = session.published.refresh
    published = json.loads(row["settings"])["images"]["folder"] if row is not None else None
    # A refresh of a folder that was moved as it is publishes nothing, but keeps its new place.
    known = session.settings.images.folder in (published, kept(session.home).get("images.folder"))
    images = set(session.published.assignment) if known else set[str]()
    stored = session.load_published("images")
    rows = stored.table("files").to_pylist() if stored is not None else []
    return loss(
        session.inputs.catalog, images, {row["path_bytes"] for row in rows if row["status"] == "failed"}
    )


def has_thumbnails(home: Home, stored: StoredAsset) -> bool:
    """Whether every image has its thumbnail: they lie in the cache, which people may empty."""
    return all(home.thumbnail(image_id).is_file() for image_id in usable_paths(stored.table("files")))


def _known(storage: StorageResource) -> Mapping[str, Content]:
    """What the published refresh decoded, where the same limits and code still hold."""
    session = storage.session
    published = session.published
    stored = session.load_published("images")
    if stored is None or stored.info["code_version"] != CODE_VERSION:
        return {}
    if published.inputs.get(SETTINGS) != session.inputs.versions[SETTINGS]:
        return {}
    return known_contents(stored.table("contents"))


def _metadata(stored: StoredAsset) -> Mapping[str, Any]:
    files = stored.table("files")
    statuses = Counter(files["status"].to_pylist())
    usable = pc.filter(files["image_id"], pc.equal(files["status"], "usable"))
    return {
        "dagster/row_count": files.num_rows,
        "images": len(pc.unique(usable)),
        "failed": statuses["failed"],
        "skipped": statuses["skipped"],
        "other_files": stored.info["n_other"],
        "n_decoded": 0,
    }
