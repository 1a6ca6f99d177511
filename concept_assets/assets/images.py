"""What is in the folder, and which of it can be used."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow.compute as pc

from concept_assets.inputs import IMAGE_FOLDER, key, setting
from concept_assets.progress import reporter
from concept_assets.resources import StorageResource
from concept_assets.versioning import Upstream
from concept_lib.images.contents import Content, decode_new, known_contents, usable_paths
from concept_lib.storage import Contents, Home, StoredAsset

CODE_VERSION = "1"
SETTINGS = setting("images")


@dg.asset(
    deps=[key(IMAGE_FOLDER), key(SETTINGS)],
    group_name="images",
    kinds={"python", "parquet"},
    owners=["team:concept-atlas"],
    code_version=CODE_VERSION,
)
def images(context: dg.AssetExecutionContext, storage: StorageResource) -> dg.MaterializeResult[None]:
    """Every picture file with what became of it, and every distinct image with its size and thumbnail.

    An image is a content: copies of one file are one image. A file that cannot be used has a row that
    says why. Only new contents are decoded.
    """
    session = storage.session

    def compute(_: Upstream) -> Contents:
        with session.decode_pool() as pool:
            found = decode_new(
                session.inputs.folder,
                session.inputs.catalog,
                _known(storage),
                session.home.thumbnail,
                pool,
                reporter(context, "images decoded"),
            )
        context.log.info(f"decoded {found.n_decoded:,} of {len(found.contents):,} images")
        return Contents(
            tables=found.tables(),
            info={"code_version": CODE_VERSION, "n_other": session.inputs.catalog.n_other},
        )

    def is_usable(stored: StoredAsset) -> bool:
        return stored.is_whole() and has_thumbnails(session.home, stored)

    return session.run(context, compute, _metadata, is_usable)


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
    }
