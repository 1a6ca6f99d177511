"""The library's face: ConceptModel, what it knows once it is fitted, and how that is kept and shown."""

from concept_lib.model.estimator import ConceptModel

__all__ = ["ConceptModel"]
