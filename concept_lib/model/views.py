"""What a fitted ConceptModel shows: tables, a figure, and HTML for notebooks."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from concept_lib.model.state import ConceptState
from concept_lib.pictures.collage import encode_jpeg
from concept_lib.pictures.figure import panel_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHOWN = 12  # concepts in a notebook's table
WIDTH = 240  # px of a collage in it


def frequency(state: ConceptState) -> pd.DataFrame:
    """Images (``Count``) by ``Cluster``, largest first, outliers left out."""
    import pandas as pd

    sizes = state.sizes()
    index = pd.Index(list(sizes), name="Cluster", dtype="int64")
    return pd.DataFrame({"Count": list(sizes.values())}, index=index, dtype="int64")


def concept_info(state: ConceptState) -> pd.DataFrame:
    """A row a concept, largest first."""
    import pandas as pd

    columns = ["Concept", "Label", "Count", "Confidence", "Words", "Exemplars"]
    rows = [
        (
            concept,
            state.labels.get(concept),
            size,
            state.confidences.get(concept),
            [word for word, _ in state.words.get(concept, [])],
            [state.names[row] for row in state.exemplars(concept)],
        )
        for concept, size in state.sizes().items()
    ]
    return pd.DataFrame(rows, columns=columns)


def image_info(state: ConceptState) -> pd.DataFrame:
    """A row an image, in the order given."""
    import pandas as pd

    return pd.DataFrame(
        {
            "Image": state.names,
            "Concept": state.concepts,
            "Label": [state.labels.get(int(concept)) for concept in state.concepts],
            "Probability": state.probabilities,
            "Exemplar": pd.array([int(rank) or None for rank in state.ranks], dtype="Int32"),
            "Problem": [state.reasons.get(row) for row in range(len(state.names))],
        }
    )


def concept_figure(
    state: ConceptState, top_n: int, concepts: Sequence[int] | None, figsize: tuple[float, float]
) -> Figure:
    """Collages of the largest concepts, or of those that are named.

    Raises
    ------
    ValueError
        When one of them is not there.
    """
    sizes = state.sizes()
    shown = list(sizes)[:top_n] if concepts is None else [int(concept) for concept in concepts]
    unknown = [concept for concept in shown if concept not in sizes]
    if unknown:
        raise ValueError(f"there is no concept {unknown[0]}; the numbers are those of frequency")
    titles = [state.labels.get(concept, f"Concept {concept}") for concept in shown]
    notes = [f"{sizes[concept]:,} images" for concept in shown]
    return panel_figure([state.collages[concept] for concept in shown], titles, notes, figsize)


def concept_table_html(title: str, state: ConceptState | None) -> str:
    """Table of the largest concepts: collage, number, label, images; a line where there is nothing yet.

    Parameters
    ----------
    title
        Shown where nothing is fitted; escaped, as is everything else.
    state
        None before a fit.
    """
    if state is None:
        return f"<pre>{escape(title)}</pre><p>No concepts yet: call fit_transform.</p>"
    sizes = state.sizes()
    outliers = int((state.concepts < 0).sum())
    head = f"{len(state.names):,} images, {len(sizes):,} concepts, {outliers:,} images in none"
    rows = "".join(
        f'<tr><td><img alt="" width="{WIDTH}" src="data:image/jpeg;base64,{_small(state.collages[concept])}"></td>'
        f"<td>{concept}</td><td>{escape(state.labels.get(concept, ''))}</td><td>{size:,}</td></tr>"
        for concept, size in list(sizes.items())[:SHOWN]
    )
    table = f"<table><tr><th></th><th>concept</th><th>label</th><th>images</th></tr>{rows}</table>"
    rest = f"<p>and {len(sizes) - SHOWN:,} more</p>" if len(sizes) > SHOWN else ""
    return f"<p><b>ConceptModel</b>: {head}</p>{table if rows else ''}{rest}"


def _small(collage: Image.Image) -> str:
    """JPEG of a collage no wider than the table shows it, in base64."""
    small = collage.copy()
    small.thumbnail((WIDTH, WIDTH))
    return base64.b64encode(encode_jpeg(small, quality=80)).decode()
