"""The sample that a stored layout was learnt from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from concept_lib.modeling.membership import Standing
from concept_lib.modeling.sampling import Sample, sampled
from concept_lib.settings import Reduction
from concept_lib.storage import StoredAsset


def sample_arrays(sample: Sample | None) -> dict[str, npt.NDArray[np.generic]]:
    """Arrays that keep the sample of a layout beside it; none where all images were fitted."""
    return {} if sample is None else {f"sample_{name}": part for name, part in sample._asdict().items()}


def layout_sample(
    reduced: StoredAsset, vectors: npt.NDArray[np.float32], standing: Standing | None, section: Reduction
) -> Sample | None:
    """Images that HDBSCAN sees: those that the layout was learnt from, or all where they are few; None for all.

    Parameters
    ----------
    reduced
        The layout. Images that came since it was learnt are not in the sample that it kept; so it keeps none then, and
        the neighbours are sought again.
    vectors
        Unit rows of all images, shape (n, d).
    standing
        The published concepts, None where the layout is the first.
    section
        Settings in force.
    """
    if "sample_rows.npy" in reduced.digests:
        return Sample(*(np.asarray(reduced.array(f"sample_{name}")) for name in Sample._fields))
    of_all = "fit_sample" not in reduced.info["recipe"]
    if standing is None or (of_all and len(vectors) <= section.fit_sample):
        return None
    return sampled(vectors, np.flatnonzero(standing.members.fitted).astype(np.int32), section.n_neighbors)
