"""A history folder is rewritten whole, wherever the process dies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from concept_lib.database.history import (
    PAST_SCHEMAS,
    committed_histories,
    load_history,
    mark_committed,
    write_history,
)
from concept_lib.database.rewrite import finish_rewrites, forget_vectors


@pytest.fixture
def folder(tmp_path: Path, past_table, refresh_row) -> Path:
    """A committed refresh with three concepts."""
    concepts = [
        {
            "refresh_id": 1,
            "concept_id": concept_id,
            "n_images": 3,
            "label": "cat",
            "named": True,
            "collage": f"{concept_id}.jpg",
            "embedding": np.full(4, concept_id + 0.1, np.float32),
        }
        for concept_id in range(3)
    ]
    folder = tmp_path / "history" / "1"
    empty = {name: past_table(name, []) for name in ("concept_events", "image_moves", "curation")}
    write_history(
        folder,
        refresh=refresh_row(1),
        concepts=past_table("concept_history", concepts),
        events=empty["concept_events"],
        moves=empty["image_moves"],
        curation=empty["curation"],
        next_free_id=3,
    )
    mark_committed(folder)
    return folder


def test_only_what_is_meant_is_forgotten_and_the_folder_stays_whole(folder: Path) -> None:
    before = load_history([folder])["concept_history"].to_pylist()
    assert forget_vectors(folder, {1, 7})
    after = load_history([folder])["concept_history"]
    assert after.schema == PAST_SCHEMAS["concept_history"]
    expected = [
        row | ({"embedding": [], "collage": None} if row["concept_id"] == 1 else {}) for row in before
    ]
    assert after.to_pylist() == expected
    assert committed_histories(folder.parent) == ([folder], [])
    assert not forget_vectors(folder, {1, 7}), "there is nothing left to forget"


@pytest.mark.parametrize("step", range(5))
def test_a_rewrite_that_dies_is_undone_or_finished(
    folder: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def dies(real):
        def change(self: Path, target: Path) -> Path:
            nonlocal steps
            if not target.is_relative_to(folder) or (self.name.startswith(".tmp-") and self.is_file()):
                return real(self, target)  # the rename of `write_file`
            if steps == step:
                raise KeyboardInterrupt
            steps += 1
            return real(self, target)

        return change

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dies(Path.rename))
        patch.setattr(Path, "replace", dies(Path.replace))
        if step < 4:  # the decision, and three files
            with pytest.raises(KeyboardInterrupt):
                forget_vectors(folder, {1})
        else:
            forget_vectors(folder, {1})
    finish_rewrites(folder.parent)
    assert committed_histories(folder.parent) == ([folder], [])
    vectors = load_history([folder])["concept_history"]["embedding"].to_pylist()
    assert (vectors[1] == []) == (step > 0)
    forget_vectors(folder, {1})
    assert load_history([folder])["concept_history"]["embedding"].to_pylist()[1] == []
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["committed", "meta.json", *(f"{name}.parquet" for name in PAST_SCHEMAS)]
    )
