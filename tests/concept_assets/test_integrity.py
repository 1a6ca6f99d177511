"""The proof of references finds each kind of break."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from concept_lib.database.integrity import dangling_references
from concept_lib.storage import Home

BREAKS = {
    "image_files.image_id": """
        UPDATE image_files SET image_id = repeat('0', 64) WHERE path = (SELECT min(path) FROM images)""",
    "images.n_files": "UPDATE images SET n_files = n_files + 1 WHERE path = (SELECT min(path) FROM images)",
    "images without a concept_images row": "DELETE FROM concept_images WHERE exemplar_rank IS NULL AND concept_id >= 0",
    "images without an embedding": "DELETE FROM image_embeddings WHERE image_id = (SELECT min(image_id) FROM images)",
    "concept_images.concept_id": "DELETE FROM concepts WHERE concept_id = 0",
    "concepts.n_images": "UPDATE concepts SET n_images = n_images + 1 WHERE concept_id = 0",
    "concepts without an exemplar": "UPDATE concept_images SET exemplar_rank = NULL WHERE concept_id = 0",
    "concept_words.concept_id": "UPDATE concept_words SET concept_id = 999 WHERE concept_id = 0",
    "concept_words.word": "UPDATE concept_words SET word = 'no such word' WHERE concept_id = 0",
    "vocabulary without an embedding": "DELETE FROM word_embeddings WHERE word = 'pizza'",
    "word_embeddings.word": "DELETE FROM vocabulary WHERE word = 'pizza'",
    "concepts not in the history": "DELETE FROM concept_history WHERE concept_id = 0",
    "moves do not replay to the present": "UPDATE image_moves SET to_concept_id = -1",
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_break_is_found(refreshed: Home, tmp_path: Path, kind: str) -> None:
    broken = tmp_path / "broken.duckdb"
    shutil.copy(refreshed.database, broken)
    broken.chmod(0o644)
    with duckdb.connect(str(broken)) as connection:
        connection.execute(BREAKS[kind])
    assert kind in dangling_references(broken)


def test_a_sound_database_has_none(refreshed: Home) -> None:
    assert dangling_references(refreshed.database) == {}
