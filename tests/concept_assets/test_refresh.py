"""What a refresh does, computes and publishes, run by run."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pytest

from concept_lib.database.integrity import dangling_references
from concept_lib.errors import ConceptError
from concept_lib.storage import Home

ASSETS = {
    "images",
    "vocabulary",
    "image_embeddings",
    "vocabulary_embeddings",
    "reduced_vectors",
    "clusters",
    "exemplar_collages",
    "labels",
    "concept_database",
}


def rows(home: Home, query: str) -> list[tuple]:
    with duckdb.connect(str(home.database), read_only=True) as connection:
        return connection.execute(query).fetchall()


def photos(home: Home) -> Path:
    return home.path.parent / "photos"


def test_the_first_refresh_finds_the_kinds(refreshed: Home) -> None:
    members = rows(
        refreshed,
        "SELECT concept_id, split_part(path, '/', 1) FROM concept_images JOIN images USING (image_id)",
    )
    kinds = {}
    for concept_id, kind in members:
        kinds.setdefault(concept_id, Counter())[kind] += 1
    kinds.pop(-1, None)
    assert {counter.most_common(1)[0][0] for counter in kinds.values()} == {
        "beach",
        "pizza",
        "clock",
        "sunflower",
    }
    assert all(counter.most_common(1)[0][1] >= 0.9 * counter.total() for counter in kinds.values())
    assert dangling_references(refreshed.database) == {}


def test_its_rows_say_what_happened(refreshed: Home) -> None:
    [row] = rows(
        refreshed,
        "SELECT refresh_id, previous_refresh_id, mode, fit_refresh_id, title, n_files, n_images, n_failed, "
        "n_embedded FROM refreshes",
    )
    assert row == (1, None, "fit", 1, "+48 images, fit", 48, 48, 0, 48)
    assert rows(refreshed, "SELECT count(*), count(from_concept_id) FROM image_moves") == [(48, 0)]
    assert rows(refreshed, "SELECT DISTINCT kind FROM concept_events") == [("born",)]


def test_nothing_changed_is_no_run(own_home: Home, run) -> None:
    for path in photos(own_home).rglob("*.jpg"):
        os.utime(path)
    (photos(own_home) / "notes.txt").write_text("not a picture")
    summary, done = run(own_home)
    assert (summary["mode"], summary["refresh_id"], summary["n_embedded"]) == ("unchanged", 1, 0)
    assert done.computed == done.reused == []


def test_a_renamed_and_a_copied_file_are_neither_decoded_nor_embedded_nor_fitted(own_home: Home, run) -> None:
    first, second = sorted(photos(own_home).rglob("*.jpg"))[:2]
    first.rename(first.with_name("renamed.jpg"))
    second.with_name("copied.jpg").write_bytes(second.read_bytes())
    summary, done = run(own_home)
    assert summary["mode"] == "kept"
    assert (summary["n_embedded"], summary["n_files"], summary["n_images"]) == (0, 49, 48)
    assert set(done.computed) == {"images", "image_embeddings", "concept_database"}
    assert rows(own_home, "SELECT count(*) FROM duplicate_files") == [(1,)]
    assert rows(own_home, "SELECT count(*) FROM image_moves WHERE refresh_id = 2") == [(0,)]
    assert dangling_references(own_home.database) == {}


@pytest.mark.parametrize("room", [0, None], ids=["without room for pixels", "with room"])
def test_a_new_file_is_decoded_once_and_its_vector_is_the_same(
    own_home: Home, run, monkeypatch: pytest.MonkeyPatch, room: int | None
) -> None:
    from concept_lib.embedding.encoder import load_encoder
    from concept_lib.images import decode, pixels
    from concept_lib.images.sample import render

    if room is not None:
        monkeypatch.setattr(pixels, "MOST_BYTES", room)
    whole, asked = decode.DecodePool.map, []

    def counted(pool, paths, **wanted):
        def told():
            for path in paths:
                asked.append(path)
                yield path

        return whole(pool, told(), **wanted)

    monkeypatch.setattr(decode.DecodePool, "map", counted)
    new = photos(own_home) / "new.jpg"
    render("beach", 5_999_999, 640).save(new)
    run(own_home)
    assert asked.count(os.fsencode(new)) == (2 if room == 0 else 1)
    assert not own_home.pixels.exists()
    [(vector,)] = rows(
        own_home,
        "SELECT embedding FROM image_embeddings JOIN image_files USING (image_id) WHERE path = 'new.jpg'",
    )
    encoder = load_encoder("demo")
    with decode.DecodePool(workers=1, max_file_bytes=10**8) as pool:
        [picture] = whole(pool, [os.fsencode(new)], thumbnail=False, pixel_size=encoder.image_size)
    np.testing.assert_allclose(encoder.encode_images([picture.pixels])[0], vector, atol=1e-6)


def test_a_label_setting_runs_the_labels_alone(own_home: Home, run) -> None:
    before = rows(own_home, "SELECT concept_id, n_images FROM concepts ORDER BY ALL")
    summary, done = run(own_home, {"labels.method": "ctfidf"})
    assert summary["mode"] == "kept"
    assert set(done.computed) == {"labels", "concept_database"}
    assert rows(own_home, "SELECT concept_id, n_images FROM concepts ORDER BY ALL") == before
    assert rows(own_home, "SELECT DISTINCT label_method FROM concepts") == [("ctfidf",)]
    again, _ = run(own_home)
    assert again["mode"] == "unchanged", "the flag is kept in the home"


def test_a_clustering_setting_spares_the_reduction(own_home: Home, run) -> None:
    map_before = rows(own_home, "SELECT image_id, map_x, map_y FROM concept_images ORDER BY ALL")
    summary, done = run(own_home, {"clustering.min_concept_size": "6"})
    assert summary["mode"] == "fit"
    assert set(done.reused) >= {"images", "image_embeddings", "reduced_vectors"}
    assert rows(own_home, "SELECT image_id, map_x, map_y FROM concept_images ORDER BY ALL") == map_before
    assert rows(own_home, "SELECT fit_refresh_id FROM refreshes WHERE refresh_id = 2") == [(2,)]


def test_an_identity_setting_that_changes_no_result_is_published(own_home: Home, run) -> None:
    summary, done = run(own_home, {"identity.growth_images": "7"})
    assert summary["mode"] == "kept"
    assert set(done.computed) == {"clusters", "concept_database"}
    assert rows(own_home, "SELECT count(*) FROM latest_changes") == [(0,)]


def test_removed_and_added_images_are_told(own_home: Home, run, gallery: Path) -> None:
    from concept_lib.images.sample import render

    removed = sorted(photos(own_home).glob("pizza/*.jpg"))[:3]
    for path in removed:
        path.unlink()
    render("beach", 5_999_999, 128).save(photos(own_home) / "new.png")
    summary, _ = run(own_home)
    assert (summary["n_images"], summary["n_embedded"]) == (46, 1)
    assert rows(own_home, "SELECT title FROM refreshes ORDER BY refresh_id DESC LIMIT 1") == [
        ("+1 -3 images, assigned",)
    ]
    assert dangling_references(own_home.database) == {}


def test_a_broken_file_is_a_row_with_a_reason(own_home: Home, run) -> None:
    (photos(own_home) / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    summary, _ = run(own_home)
    assert (summary["mode"], summary["n_failed"], summary["n_images"]) == ("kept", 1, 48)
    [(path, status, reason)] = rows(own_home, "SELECT path, status, reason FROM problem_files")
    assert (path, status) == ("broken.jpg", "failed")
    assert reason
    assert "\n" not in reason


def test_a_flipped_byte_is_noticed_and_computed_anew(own_home: Home, run) -> None:
    [vectors] = own_home.asset_folder("image_embeddings").glob("*/vectors.npy")
    expected = np.load(vectors)
    damaged = bytearray(vectors.read_bytes())
    damaged[-1] ^= 1
    vectors.write_bytes(damaged)
    summary, done = run(own_home)
    assert "image_embeddings" in done.computed
    assert summary["n_embedded"] == 0, "the cache still has the vectors"
    assert np.array_equal(np.load(vectors), expected)


def test_a_lost_database_comes_back_with_its_past(own_home: Home, run) -> None:
    run(own_home, {"clustering.min_concept_size": "6"})
    before = rows(own_home, "SELECT * FROM concept_history ORDER BY ALL")
    ids = rows(own_home, "SELECT concept_id FROM concepts ORDER BY ALL")
    own_home.database.unlink()
    summary, done = run(own_home)
    assert summary["refresh_id"] == 3
    assert done.computed == ["concept_database"]
    assert rows(own_home, "SELECT * FROM concept_history WHERE refresh_id < 3 ORDER BY ALL") == before
    assert rows(own_home, "SELECT concept_id FROM concepts ORDER BY ALL") == ids
    assert dangling_references(own_home.database) == {}


def test_a_refresh_that_fails_leaves_the_published_state_and_forgets_its_flags(own_home: Home, run) -> None:
    before = own_home.database.read_bytes()
    with pytest.raises(ConceptError, match="nowhere"):
        run(own_home, {"images.folder": str(own_home.path / "nowhere")})
    assert own_home.database.read_bytes() == before
    assert run(own_home)[0]["mode"] == "unchanged"


def test_unusable_wishes_are_refused_in_one_line(own_home: Home, run) -> None:
    with pytest.raises(ConceptError, match=r"embedding\.batch_size"):
        run(own_home, {"embedding.batch_size": "0"})


def test_without_a_vocabulary_concepts_stay_unnamed(own_home: Home, run) -> None:
    run(own_home, {"vocabulary.source": "none"})
    named = rows(own_home, "SELECT DISTINCT label, named, label_confidence, label_method FROM concepts")
    assert named == [("unnamed", False, None, None)]
    assert dangling_references(own_home.database) == {}


def test_where_the_demo_model_knows_little_a_refresh_names_the_model_to_take(own_home: Home, run) -> None:
    result, recorder = run(own_home, {"labels.min_confidence": "1"})
    n_concepts = result["n_concepts"]
    (line,) = recorder.said
    assert line.startswith(f"{n_concepts} of {n_concepts} concepts are unnamed")
    assert "--model clip-ViT-B-32" in line


def test_where_it_knows_most_nothing_is_said(own_home: Home, run) -> None:
    _, recorder = run(own_home, {"labels.n_shown": "2"})
    assert "labels" in recorder.computed
    assert not recorder.said


@pytest.mark.parametrize("form", ["npz", "pkl"])
def test_precomputed_vectors_stand_in_for_the_image_tower(
    own_home: Home, run, tmp_path: Path, form: str
) -> None:
    paths = sorted(path.relative_to(photos(own_home)).as_posix() for path in photos(own_home).rglob("*.jpg"))
    kinds = sorted({path.split("/")[0] for path in paths})
    rng = np.random.default_rng(0)
    vectors = np.stack([np.eye(16)[kinds.index(path.split("/")[0])] for path in paths]) + rng.normal(
        0, 0.05, (48, 16)
    )
    np.savez(tmp_path / "vectors.npz", names=np.array(paths[1:]), vectors=vectors[1:].astype(np.float32))
    (tmp_path / "vectors.pkl").write_bytes(pickle.dumps((paths[1:], vectors[1:].astype(np.float32))))
    summary, _ = run(
        own_home, {"embedding.embeddings": str(tmp_path / f"vectors.{form}"), "vocabulary.source": "none"}
    )
    assert (summary["n_images"], summary["n_failed"], summary["n_concepts"]) == (47, 1, 4)
    assert rows(own_home, "SELECT path, reason FROM problem_files") == [(paths[0], "no vector")]
    unit = vectors[1] / np.linalg.norm(vectors[1])
    [(stored,)] = rows(
        own_home,
        f"SELECT embedding FROM image_embeddings JOIN images USING (image_id) WHERE path = '{paths[1]}'",
    )
    assert np.allclose(stored, unit, atol=1e-6)


def test_two_homes_of_the_same_inputs_hold_identical_tables(
    refreshed: Home, run, gallery: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "other")
    run(
        home,
        {
            "embedding.model": "demo",
            "clustering.min_concept_size": "5",
            "reduction.n_neighbors": "8",
            "images.folder": str(gallery),
        },
    )
    for table in ("images", "concepts", "concept_images", "concept_words", "image_moves", "concept_events"):
        query = f"SELECT * FROM {table} ORDER BY ALL"
        assert rows(home, query) == rows(refreshed, query), table


@pytest.mark.parametrize("n_images", [0, 1, 5])
def test_few_images_are_a_sensible_state(run, gallery: Path, tmp_path: Path, n_images: int) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for path in sorted(gallery.rglob("*.jpg"))[:n_images]:
        (folder / path.name).write_bytes(path.read_bytes())
    home = Home(tmp_path / "home")
    summary, _ = run(home, {"embedding.model": "demo", "images.folder": str(folder)})
    assert (summary["n_images"], summary["n_concepts"], summary["n_outliers"]) == (n_images, 0, n_images)
    assert dangling_references(home.database) == {}
    assert run(home)[0]["mode"] == "unchanged"


def test_a_folder_of_broken_files_is_a_sensible_state(run, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes([number]))
    home = Home(tmp_path / "home")
    summary, _ = run(home, {"embedding.model": "demo", "images.folder": str(folder)})
    assert (summary["n_files"], summary["n_failed"], summary["n_images"]) == (3, 3, 0)


def test_an_emptied_cache_is_filled_again_and_nothing_is_published(own_home: Home, run) -> None:
    shutil.rmtree(own_home.path / "cache")
    summary, done = run(own_home)
    assert (summary["mode"], summary["refresh_id"]) == ("unchanged", 1)
    assert done.computed == ["images"]
    thumbnails = rows(own_home, "SELECT thumbnail FROM images")
    assert all((own_home.path / thumbnail).is_file() for (thumbnail,) in thumbnails)


def test_a_damaged_thumbnail_is_told_and_mended_by_the_next_refresh(own_home: Home, run) -> None:
    [(thumbnail,)] = rows(
        own_home,
        "SELECT thumbnail FROM images JOIN concept_images USING (image_id) WHERE exemplar_rank = 1 LIMIT 1",
    )
    (own_home.path / thumbnail).write_bytes((own_home.path / thumbnail).read_bytes()[:500])
    with pytest.raises(ConceptError, match="run the refresh again"):
        run(own_home, {"collages.width": "800"})
    assert run(own_home, {"collages.width": "800"})[0]["mode"] == "kept"
