"""The user's word, obeyed at once: an action is noted in the home and a refresh publishes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, TypeAlias

from concept_assets.progress import Listener
from concept_assets.refresh import LOCK_SECONDS, refresh
from concept_lib.curation import (
    Action,
    Actions,
    append,
    checked_name,
    load_actions,
    merges_in_force,
    save_actions,
    undo,
)
from concept_lib.database.queries import concept_table, curation_table
from concept_lib.database.state import published_state
from concept_lib.errors import ConceptError
from concept_lib.lock import locked
from concept_lib.storage import Home

Concepts: TypeAlias = Mapping[int, Mapping[str, Any]]
Change: TypeAlias = Callable[[Actions, Concepts], Actions]


def rename_concept(concept_id: int, name: str) -> Change:
    """Give a concept a name that outlives refreshes."""
    line = checked_name(name)

    def change(actions: Actions, concepts: Concepts) -> Actions:
        _published(concept_id, actions, concepts)
        return append(actions, "rename", concept_id, name=line)

    return change


def merge_concepts(concept_id: int, other_concept_id: int) -> Change:
    """Show the images of the second concept under the first."""

    def change(actions: Actions, concepts: Concepts) -> Actions:
        for each in (concept_id, other_concept_id):
            _published(each, actions, concepts)
        return append(actions, "merge", concept_id, other_concept_id=other_concept_id)

    return change


def pin_concept(concept_id: int) -> Change:
    """Keep a concept's id and label while it has two members."""

    def change(actions: Actions, concepts: Concepts) -> Actions:
        row = _published(concept_id, actions, concepts)
        return append(actions, "pin", concept_id, name=row["label"] if row["named"] else None)

    return change


def undo_action(number: int | None) -> Change:
    """Take back the action of a number, or the last one."""
    return lambda actions, _: undo(actions, number)[0]


def curate(
    home: Home, change: Change, listener: Listener, say: Callable[[str], None]
) -> tuple[Action, dict[str, Any], Concepts, Concepts]:
    """Change what the user decided, and refresh; where the refresh fails, nothing was decided.

    Parameters
    ----------
    home
        Where everything is kept.
    change
        Makes the new list of actions from the old one and the published concepts.
    listener, say
        As in `refresh`.

    Returns
    -------
    action : Action
        The one that was added or undone.
    result : dict
        What `refresh` gives.
    before, after : mapping
        Published concepts by id, rows of ``concept_summary``.

    Raises
    ------
    ConceptError
        When the change does not fit the published concepts, or the refresh fails.
    """
    with (
        locked(home, "concept", timeout_s=LOCK_SECONDS, on_wait=lambda who: say(f"waiting for {who}")),
        ExitStack() as failing,
    ):
        published_state(home)  # restores the list where its file was lost
        actions, concepts = load_actions(home), _concepts(home)
        changed = change(actions, concepts)
        (action,) = set(changed) - set(actions)
        failing.callback(save_actions, home, _taken_back(actions, changed))
        save_actions(home, changed)
        result = refresh(home, {}, listener, say)
        failing.pop_all()
        return action, result, concepts, _concepts(home)


def curation(home: Home) -> list[dict[str, Any]]:
    """Actions with the refreshes that first obeyed and first ignored them, oldest first."""
    known = {row["action_no"]: row for row in curation_table(home.database)}
    nothing = {"refresh_id": None, "undone_refresh_id": None}
    return [
        action.model_dump() | {name: known.get(action.number, nothing)[name] for name in nothing}
        for action in load_actions(home)
        if not action.undone or action.number in known
    ]


def _taken_back(before: Actions, after: Actions) -> Actions:
    """The list to leave behind a refresh that failed: a new action stays in it, undone, so that its number is spent.

    The refresh may have failed after it published; then the next one tells that the action is undone.
    """
    return before + tuple(action.model_copy(update={"undone": True}) for action in after[len(before) :])


def _concepts(home: Home) -> Concepts:
    return {row["concept_id"]: row for row in concept_table(home.database)}


def _published(concept_id: int, actions: Actions, concepts: Concepts) -> Mapping[str, Any]:
    """A published concept."""
    if concept_id in concepts:
        return concepts[concept_id]
    into = merges_in_force(actions).get(concept_id)
    why = "there is no concept" if into is None else f"concept {into} took in concept"
    raise ConceptError(f"{why} {concept_id}; see: concept {'concepts' if into is None else 'curation'}")
