"""Plain Python below Dagster: images, vocabulary, embedding, modeling, pictures, database.

``from concept_lib import ConceptModel`` is its face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concept_lib.model import ConceptModel as ConceptModel


def __getattr__(name: str) -> object:
    """Import the face when it is asked for: scikit-learn comes with it."""
    if name == "ConceptModel":
        from concept_lib.model import ConceptModel

        return ConceptModel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
