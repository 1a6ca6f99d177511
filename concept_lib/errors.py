"""The one kind of error that a user can mend."""

from __future__ import annotations


class ConceptError(Exception):
    """What is wrong, where, and what to do, in one line.

    The command line prints it without a traceback; Dagster shows it as the step's failure.

    Examples
    --------
    >>> raise ConceptError("folder not found: photos; give one with --images DIR")
    Traceback (most recent call last):
        ...
    concept_lib.errors.ConceptError: folder not found: photos; give one with --images DIR
    """
