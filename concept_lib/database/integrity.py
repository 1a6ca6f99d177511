"""References and counts between the published tables, proved by queries.

Foreign keys would cost an index over 64-character keys each; one query at publication costs less.
"""

from __future__ import annotations

from pathlib import Path

from concept_lib.database.queries import open_database

# Each query counts rows that refer to something that is not there.
REFERENCES = {
    "image_files.image_id": """
        SELECT count(*) FROM image_files f ANTI JOIN images i USING (image_id) WHERE f.status = 'usable'""",
    "images without a file": """
        SELECT count(*) FROM images i
        ANTI JOIN (SELECT image_id FROM image_files WHERE status = 'usable') f USING (image_id)""",
    "images.n_files": """
        SELECT count(*) FROM images i
        JOIN (SELECT image_id, count(*) AS n FROM image_files WHERE status = 'usable' GROUP BY ALL) f USING (image_id)
        WHERE i.n_files <> f.n""",
    "concept_images.image_id": "SELECT count(*) FROM concept_images m ANTI JOIN images i USING (image_id)",
    "images without a concept_images row": "SELECT count(*) FROM images i ANTI JOIN concept_images m USING (image_id)",
    "image_embeddings.image_id": "SELECT count(*) FROM image_embeddings e ANTI JOIN images i USING (image_id)",
    "images without an embedding": "SELECT count(*) FROM images i ANTI JOIN image_embeddings e USING (image_id)",
    "concept_images.concept_id": """
        SELECT count(*) FROM concept_images m ANTI JOIN concepts c USING (concept_id) WHERE m.concept_id >= 0""",
    "concepts.n_images": """
        SELECT count(*) FROM concepts c
        LEFT JOIN (SELECT concept_id, count(*) AS n FROM concept_images GROUP BY ALL) m USING (concept_id)
        WHERE c.n_images IS DISTINCT FROM m.n""",
    "concepts without an exemplar": """
        SELECT count(*) FROM concepts c
        ANTI JOIN (SELECT concept_id FROM concept_images WHERE exemplar_rank IS NOT NULL) m USING (concept_id)""",
    "concepts without words": """
        SELECT count(*) FROM concepts c ANTI JOIN concept_words w USING (concept_id)
        WHERE EXISTS (FROM vocabulary)""",
    "refreshes.n_*": """
        SELECT count(*) FROM refreshes r JOIN schema_info USING (refresh_id)
        WHERE r.n_files <> (SELECT count(*) FROM image_files)
           OR r.n_failed <> (SELECT count(*) FROM image_files WHERE status = 'failed')
           OR r.n_images <> (SELECT count(*) FROM images)
           OR r.n_concepts <> (SELECT count(*) FROM concepts)
           OR r.n_outliers <> (SELECT count(*) FROM concept_images WHERE concept_id < 0)""",
    "concept_words.concept_id": "SELECT count(*) FROM concept_words w ANTI JOIN concepts c USING (concept_id)",
    "concept_words.word": "SELECT count(*) FROM concept_words w ANTI JOIN vocabulary v USING (word)",
    "word_embeddings.word": "SELECT count(*) FROM word_embeddings e ANTI JOIN vocabulary v USING (word)",
    "vocabulary without an embedding": "SELECT count(*) FROM vocabulary v ANTI JOIN word_embeddings e USING (word)",
    "concepts not in the history": """
        SELECT count(*) FROM concepts c ANTI JOIN (
            SELECT h.concept_id FROM concept_history h JOIN schema_info s USING (refresh_id)) h USING (concept_id)""",
    "moves do not replay to the present": """
        SELECT count(*) FROM (
            SELECT image_id, concept_id FROM membership_at((SELECT refresh_id FROM schema_info))) m
        FULL JOIN concept_images c USING (image_id) WHERE m.concept_id IS DISTINCT FROM c.concept_id""",
}


def dangling_references(database: Path) -> dict[str, int]:
    """Count the rows of the published tables that refer to something that is not there.

    Returns
    -------
    dict
        Rows by kind of reference; empty when all is well.
    """
    with open_database(database) as connection:
        counts = {name: connection.execute(query).fetchall()[0][0] for name, query in REFERENCES.items()}
    return {name: count for name, count in counts.items() if count}
