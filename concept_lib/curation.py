"""The user's word: concepts renamed, merged and pinned, kept in the home and taken back by number.

The home's file lists every action. When each was first obeyed, or taken back, is a matter of the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from concept_lib.errors import ConceptError
from concept_lib.storage import Home, canonical_json, write_file

MAX_NAME = 200  # characters

ConceptId: TypeAlias = Annotated[int, Field(ge=0)]


class Action(BaseModel):
    """One thing that the user decided.

    Parameters
    ----------
    number
        1, 2, …; never used twice.
    action
        ``rename`` and ``pin`` hold for `concept_id`; ``merge`` shows the images of `other_concept_id` under it.
    name
        The label that a rename gives, or that a pin keeps; None for a merge, and for a concept that was pinned unnamed.
    undone
        Whether it was taken back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: Annotated[int, Field(ge=1)]
    action: Literal["rename", "merge", "pin"]
    concept_id: ConceptId
    other_concept_id: ConceptId | None = None
    name: str | None = None
    undone: bool = False

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Self:
        if (self.action == "merge") != (self.other_concept_id is not None):
            raise ValueError("a merge, and nothing else, names another concept")
        if self.action == "rename" and self.name is None:
            raise ValueError("a rename gives a name")
        return self


Actions: TypeAlias = tuple[Action, ...]
_LIST: TypeAdapter[Actions] = TypeAdapter(Actions)


def load_actions(home: Home) -> Actions:
    """Every action that the home's file lists, by number; none without a file.

    Raises
    ------
    ConceptError
        When the file is damaged.
    """
    try:
        actions = _LIST.validate_json(home.curation.read_bytes())
        merges_in_force(actions)
    except FileNotFoundError:
        return ()
    except (ValidationError, ConceptError) as error:
        raise ConceptError(
            f"{home.curation} is damaged; put it back from a backup, or remove it and run: concept refresh, which "
            "restores what was published"
        ) from error
    return actions


def save_actions(home: Home, actions: Sequence[Action]) -> None:
    """Write the home's file, whole or not at all."""
    write_file(home.curation, canonical_json([action.model_dump() for action in actions]))


def restore_actions(home: Home, rows: Iterable[Mapping[str, Any]]) -> None:
    """Make the home's file anew from rows of the table ``curation``, where it is lost."""
    actions = [
        Action(
            number=row["action_no"],
            undone=row["undone_refresh_id"] is not None,
            **{name: row[name] for name in ("action", "concept_id", "other_concept_id", "name")},
        )
        for row in rows
    ]
    if actions and not home.curation.exists():
        save_actions(home, actions)


def append(
    actions: Actions,
    action: Literal["rename", "merge", "pin"],
    concept_id: int,
    *,
    other_concept_id: int | None = None,
    name: str | None = None,
) -> Actions:
    """Add an action under the next number.

    Raises
    ------
    ConceptError
        When a merge would lead a concept into itself.

    Examples
    --------
    >>> actions = append((), "rename", 3, name="by the sea")
    >>> names_in_force(append(actions, "rename", 3, name="the coast"))
    {3: 'the coast'}
    >>> append(append((), "merge", 3, other_concept_id=5), "merge", 5, other_concept_id=3)
    Traceback (most recent call last):
        ...
    concept_lib.errors.ConceptError: concept 5 cannot be merged into itself; choose two concepts
    """
    number = 1 + max((known.number for known in actions), default=0)
    added = Action(
        number=number, action=action, concept_id=concept_id, other_concept_id=other_concept_id, name=name
    )
    merges_in_force((*actions, added))
    return (*actions, added)


def undo(actions: Actions, number: int | None = None) -> tuple[Actions, Action]:
    """Take an action back: the last that is in force, or the one of a number.

    Returns
    -------
    actions : tuple of Action
        All of them, that one marked.
    undone : Action
        That one.

    Raises
    ------
    ConceptError
        When there is nothing to take back under that number.

    Examples
    --------
    >>> actions = append(append((), "rename", 3, name="the sea"), "pin", 4, name="boats")
    >>> names_in_force(undo(actions)[0]), names_in_force(undo(actions, 1)[0])
    ({3: 'the sea'}, {4: 'boats'})
    """
    standing = {action.number: action for action in actions if not action.undone}
    chosen = max(standing, default=0) if number is None else number
    if chosen not in standing:
        if number is None:
            raise ConceptError("there is nothing to undo; see: concept curation --help")
        known = any(action.number == number for action in actions)
        what = "is undone already" if known else "does not exist"
        raise ConceptError(f"action {number} {what}; see: concept curation")
    undone = standing[chosen].model_copy(update={"undone": True})
    after = tuple(undone if action.number == chosen else action for action in actions)
    merges_in_force(after)
    return after, undone


def curation_version(actions: Actions) -> str:
    """Hash of what is in force: an action that was taken back leaves no trace."""
    standing = [action.model_dump() for action in actions if not action.undone]
    return hashlib.sha256(canonical_json(standing)).hexdigest()[:32]


def names_in_force(actions: Actions) -> dict[int, str]:
    """Label that the user gave to a concept, or pinned; the later word wins."""
    return {
        action.concept_id: action.name
        for action in actions
        if not action.undone and action.action != "merge" and action.name is not None
    }


def merges_in_force(actions: Actions) -> dict[int, int]:
    """Shown concept of each concept that was merged into another, over chains too; the later word wins.

    Raises
    ------
    ConceptError
        When a chain leads back to where it began.

    Examples
    --------
    >>> merges_in_force(append(append((), "merge", 3, other_concept_id=5), "merge", 1, other_concept_id=3))
    {5: 1, 3: 1}
    """
    into = {
        action.other_concept_id: action.concept_id
        for action in actions
        if not action.undone and action.other_concept_id is not None
    }
    shown = {}
    for merged in into:
        chain = [merged]
        while (following := into.get(chain[-1])) is not None:
            if following in chain:
                raise ConceptError(f"concept {following} cannot be merged into itself; choose two concepts")
            chain.append(following)
        shown[merged] = chain[-1]
    return shown


def pins_in_force(actions: Actions) -> set[int]:
    """Concepts that must last: the pinned ones, and those merged into them.

    Examples
    --------
    >>> pins_in_force(append(append((), "merge", 3, other_concept_id=5), "pin", 3))
    {3, 5}
    """
    pinned = {action.concept_id for action in actions if not action.undone and action.action == "pin"}
    return pinned | {merged for merged, shown in merges_in_force(actions).items() if shown in pinned}


def checked_name(name: str) -> str:
    """One printable line of 1 to 200 characters, without spaces around it.

    Raises
    ------
    ConceptError
        When it is none.
    """
    line = name.strip()
    if not 0 < len(line) <= MAX_NAME or not line.isprintable():
        raise ConceptError(f"{line[:40]!r} is no name; give one printable line of 1 to {MAX_NAME} characters")
    return line
