"""Commands with which the user has the last word about concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from concept_assets.cli_options import DATA, HomeOption, JsonOption, console, print_json, shown_refresh
from concept_lib.storage import Home

if TYPE_CHECKING:
    from pathlib import Path

    from concept_assets.curate import Change, Concepts
    from concept_lib.curation import Action

app = typer.Typer()
PANEL = "Your word about concepts"

ConceptArgument = Annotated[
    int, typer.Argument(metavar="ID", min=0, help="A concept; see: concept concepts.")
]


@app.command(rich_help_panel=PANEL)
def rename(
    concept: ConceptArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="One line of at most 200 characters.")],
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Give a concept a name of your own. It outlives refreshes, refits too."""
    from concept_assets.curate import rename_concept

    _curate(home, rename_concept(concept, name), as_json=as_json)


@app.command(rich_help_panel=PANEL)
def merge(
    concept: ConceptArgument,
    other: Annotated[int, typer.Argument(metavar="OTHER", min=0, help="The concept whose images join it.")],
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Let the images of another concept join a concept."""
    from concept_assets.curate import merge_concepts

    _curate(home, merge_concepts(concept, other), as_json=as_json)


@app.command(rich_help_panel=PANEL)
def pin(concept: ConceptArgument, home: HomeOption = DATA, as_json: JsonOption = False) -> None:
    """Keep a concept, its id and its label, as long as two of its images are there."""
    from concept_assets.curate import pin_concept

    _curate(home, pin_concept(concept), as_json=as_json)


@app.command(rich_help_panel=PANEL)
def undo(
    number: Annotated[
        int | None, typer.Argument(metavar="NUMBER", min=1, help="By default the last action.")
    ] = None,
    home: HomeOption = DATA,
    as_json: JsonOption = False,
) -> None:
    """Take back a rename, a merge or a pin; see: concept curation."""
    from concept_assets.curate import undo_action

    _curate(home, undo_action(number), as_json=as_json)


@app.command(rich_help_panel=PANEL)
def curation(home: HomeOption = DATA, as_json: JsonOption = False) -> None:
    """List what was renamed, merged and pinned, and since when."""
    from concept_assets.console import curation_view
    from concept_assets.curate import curation as list_actions

    rows = list_actions(Home(home))
    if as_json:
        print_json(rows)
    elif rows:
        console().print(curation_view(rows))
    else:
        console().print("Nothing yet. See: concept rename --help, concept merge --help, concept pin --help")


def _curate(home: Path, change: Change, *, as_json: bool) -> None:
    """Carry out a change and say what came of it."""
    from concept_assets.curate import curate

    with shown_refresh() as view:
        action, result, before, after = curate(Home(home), change, view, view.say)
    if as_json:
        print_json({**action.model_dump(), "refresh": result})
        return
    out = console()
    out.print(_told(action, before, after), markup=False, soft_wrap=True)
    hint = "" if action.undone else f"; take it back with: concept undo {action.number}"
    out.print(f"refresh {result['refresh_id']}, action {action.number}{hint}", soft_wrap=True)


def _told(action: Action, before: Concepts, after: Concepts) -> str:
    """What became of the concept, in one line."""
    from concept_assets.console import action_text

    of = action.concept_id
    if action.undone:
        return f"undone: {action_text(action.model_dump())}"
    if of not in after:
        return f"concept {of} did not outlast the refresh, in which images or settings changed too"
    label, n_images, other = after[of]["label"], after[of]["n_images"], action.other_concept_id
    if other is not None:
        joined = before[other]["label"]
        return f'concept {other} "{joined}" joined concept {of} "{label}", which has {n_images:,} images'
    if action.action == "rename":
        return f'concept {of} "{before[of]["label"]}" is now "{label}"'
    return f'concept {of} "{label}" keeps its id and its label'
