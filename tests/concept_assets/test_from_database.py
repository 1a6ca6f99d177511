"""A published refresh read as a ConceptModel."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from concept_lib import ConceptModel
from concept_lib.errors import ConceptError
from concept_lib.storage import Home


def test_a_published_refresh_is_searched_and_assigns(own_home: Home) -> None:
    model = ConceptModel.from_database(own_home.database, progress=False)
    with duckdb.connect(str(own_home.database), read_only=True) as database:
        members = dict(
            database.execute(
                "SELECT i.path, m.concept_id FROM concept_images m JOIN images i USING (image_id)"
            ).fetchall()
        )
        sizes = dict(database.execute("SELECT concept_id, n_images FROM concepts").fetchall())
        found = database.execute(
            "SELECT concept_id, similarity FROM find_concepts('pizza', top := 3)"
        ).fetchall()
        labels = dict(database.execute("SELECT concept_id, label FROM concepts").fetchall())
        folder = database.execute("SELECT settings->>'$.images.folder' FROM refreshes").fetchone()
    assert dict(zip(model.get_image_info()["Image"], model.labels_.tolist(), strict=True)) == members
    assert model.frequency["Count"].to_dict() == sizes
    assert model.get_concept_info().set_index("Concept")["Label"].to_dict() == labels
    ours = model.find_concepts("pizza", top_n=3)
    assert [concept for concept, _ in ours] == [concept for concept, _ in found]
    assert [cosine for _, cosine in ours] == pytest.approx([cosine for _, cosine in found], abs=1e-5)
    some = sorted(members)[::7]
    assert model.transform([Path(folder[0]) / path for path in some]) == [members[path] for path in some]
    assert set(model.cluster_images) == set(sizes)


def test_where_nothing_is_published_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match=r"no database .* run: concept refresh"):
        ConceptModel.from_database(tmp_path / "concepts.duckdb")
