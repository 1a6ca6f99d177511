"""What the seed needs of libraries that have moved on since 2021. Its own code runs as it was published."""

from __future__ import annotations

import sys
from types import ModuleType


def install() -> None:
    """Put back ``scipy.sparse.csr`` and ``CountVectorizer.get_feature_names``, before ``concept`` is imported.

    Examples
    --------
    >>> install()
    >>> from scipy.sparse.csr import csr_matrix
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> CountVectorizer().fit(["red apple"]).get_feature_names()
    ['apple', 'red']
    """
    from scipy import sparse
    from sklearn.feature_extraction.text import CountVectorizer

    module = ModuleType("scipy.sparse.csr")
    module.csr_matrix = sparse.csr_matrix  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    CountVectorizer.get_feature_names = _feature_names


def _feature_names(vectorizer: object) -> list[str]:
    """Words in order, a list, as scikit-learn 0.24 gave them."""
    return [str(word) for word in vectorizer.get_feature_names_out()]  # type: ignore[attr-defined]
