"""Checks of the folder and of the vectors: nothing is built on what is not sound."""

import dagster as dg

from concept_assets.assets.embeddings import image_embeddings, vocabulary_embeddings
from concept_assets.assets.images import images
from concept_assets.checks.verdict import proof, share, warning
from concept_assets.resources import StorageResource
from concept_assets.versioning import current
from concept_lib.soundness import id_problems, vector_problems

MAX_FAILED = 0.05  # share of the files; a collection has its broken ones, a failing disk has many


@dg.asset_check(asset=images, blocking=True)
def every_file_is_accounted_for(storage: StorageResource) -> dg.AssetCheckResult:
    """Every picture file of the folder has one row, and one that cannot be used says why: none is lost silently."""
    session = storage.session
    files = current(session.home, "images").table("files").to_pylist()
    found = {record.path_bytes for record in session.inputs.catalog.files}
    told = [row["path_bytes"] for row in files if (row["status"] == "usable") == (row["reason"] is None)]
    problems = {
        "files without a row": len(found.difference(told)),
        "rows of no file": len(set(told) - found),
        "files told twice": len(told) - len(set(told)),
    }
    return proof(problems, "run: concept refresh", files=len(found), rows=len(files))


@dg.asset_check(asset=images)
def few_files_failed(storage: StorageResource) -> dg.AssetCheckResult:
    """At most one file in twenty cannot be used; the view ``problem_files`` says why each one cannot."""
    statuses = current(storage.session.home, "images").table("files")["status"].to_pylist()
    return warning(
        "share of failed files",
        share(statuses.count("failed"), len(statuses)),
        MAX_FAILED,
        "see why: SELECT * FROM problem_files",
    )


@dg.asset_check(asset=image_embeddings, blocking=True)
def image_vectors_are_sound(storage: StorageResource) -> dg.AssetCheckResult:
    """Every usable image has one finite vector of length 1, or a reason: one bad vector would spoil every neighbour."""
    home = storage.session.home
    stored = current(home, "image_embeddings")
    ids, vectors = stored.table("ids")["image_id"], stored.array("vectors")
    files = current(home, "images").table("files")
    problems = {
        **vector_problems(vectors, len(ids)),
        **id_problems(files, ids, stored.table("failures")["image_id"]),
    }
    remedy = "mend the model or the file of vectors, empty cache/vectors in the home, and refresh again"
    return proof(problems, remedy, images=len(ids))


@dg.asset_check(asset=vocabulary_embeddings, blocking=True)
def word_vectors_are_sound(storage: StorageResource) -> dg.AssetCheckResult:
    """Every word has one finite vector of length 1: a bad one could name every concept."""
    home = storage.session.home
    n_words = current(home, "vocabulary").table("words").num_rows
    vectors = current(home, "vocabulary_embeddings").array("vectors")
    return proof(vector_problems(vectors, n_words), "mend the text model, and refresh again", words=n_words)


CHECKS = [every_file_is_accounted_for, few_files_failed, image_vectors_are_sound, word_vectors_are_sound]
