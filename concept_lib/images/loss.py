"""Whether a scan shows a loss that nobody can have meant: an unmounted disk is no deletion."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet

from concept_lib.images.catalog import Catalog

MAX_VANISHED = 0.5  # share of the images; whoever deletes more can say so
FOLDER_PROBLEM = "folder "  # how the reason of a folder that cannot be entered begins


def loss(catalog: Catalog, images: AbstractSet[str], missed: Collection[bytes]) -> str | None:
    """Say what was lost since the published state, if it is more than a change.

    Parameters
    ----------
    catalog
        What the scan found.
    images
        Ids of the images that are published from the same folder.
    missed
        Paths of the folders that were already out of reach when that was published.

    Returns
    -------
    str or None
        In one line; None where all is well.

    Examples
    --------
    >>> loss(Catalog(), {"a", "b"}, ())
    '2 of 2 images are gone'
    >>> loss(Catalog(), set(), ()) is None
    True
    """
    unread = [
        record
        for record in catalog.files
        if record.status == "failed"
        and (record.reason or "").startswith(FOLDER_PROBLEM)
        and record.path_bytes not in missed
    ]
    if unread:
        others = f", and {len(unread) - 1} more" if len(unread) > 1 else ""
        return f"{unread[0].path}: {unread[0].reason}{others}"
    vanished = images - {record.image_id for record in catalog.files}
    if len(vanished) > MAX_VANISHED * len(images):
        return f"{len(vanished):,} of {len(images):,} images are gone"
    return None
