-- Concept Atlas: the schema of the published database, version 1 (runs on duckdb 2.0.0 as it stands).
-- publish.py replaces 512 by the model's dimension (an int it computed, never user text), fills a file
-- aside, runs ANALYZE, CHECKPOINT, closes, fsyncs, os.replace. comments.sql says what each column is.
-- Paths are relative to the home folder. What was chosen, and why:
--  * image_id is the SHA-256 of the bytes: one image however many copies; image_files has one row a path.
--    A fit sees each content once. n_files counts paths, n_images contents.
--  * refresh_id is a growing integer, given under the home lock; failed refreshes leave gaps.
--  * history needs no foreign keys to present rows: images and concepts leave, their history stays.
--  * history stores vectors as FLOAT[] (a list): an older refresh may have used a model of another dimension.
--  * references between tables are proved by the blocking asset check, not by FOREIGN KEY (each would
--    cost an index over 64-character keys at 1M rows).
--  * "identical tables" in tests = every table but refreshes, ORDER BY ALL, plus refreshes without ids, times and
--    the metrics named seconds_*. Publication's own time goes to MLflow alone.
--  * image_files holds every file that claims to be a picture (by extension or signature); others are only counted.

-- ── about this file ────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE schema_info (
    schema_version INTEGER NOT NULL, product_version VARCHAR NOT NULL,
    refresh_id INTEGER NOT NULL,                 -- the state this file shows
    model_fingerprint VARCHAR NOT NULL, embedding_dim INTEGER NOT NULL CHECK (embedding_dim = 512));

-- ── the present ────────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE images (
    image_id VARCHAR PRIMARY KEY CHECK (length(image_id) = 64),  -- lower-case hex SHA-256
    path VARCHAR NOT NULL,                       -- shown name: the first of its paths, in byte order
    format VARCHAR NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes BIGINT NOT NULL,
    n_files INTEGER NOT NULL CHECK (n_files >= 1), thumbnail VARCHAR NOT NULL);

CREATE TABLE image_files (
    path_bytes BLOB PRIMARY KEY,                 -- the true name; not every name is UTF-8
    path VARCHAR NOT NULL,                       -- the same for people: bytes that are not UTF-8 as \xNN; may collide
    status VARCHAR NOT NULL CHECK (status IN ('usable', 'failed', 'skipped')),  -- skipped: left out on purpose
                                                 -- (link out of the folder, over a limit, forgotten)
    reason VARCHAR,                              -- one line; NULL exactly when usable
    image_id VARCHAR,                            -- NULL when never hashed
    bytes BIGINT,
    CHECK ((status = 'usable') = (reason IS NULL)), CHECK (status <> 'usable' OR image_id IS NOT NULL));

CREATE TABLE vocabulary (
    word VARCHAR PRIMARY KEY, word_id INTEGER NOT NULL UNIQUE,   -- position in the source
    source VARCHAR NOT NULL);                    -- 'nouns', 'wordnet' or the file's name

CREATE TABLE concepts (
    concept_id INTEGER PRIMARY KEY CHECK (concept_id >= 0),      -- lasting; never used twice
    label VARCHAR NOT NULL,                      -- 'unnamed' when named is false
    named BOOLEAN NOT NULL,
    label_confidence DOUBLE CHECK (label_confidence BETWEEN 0 AND 1),  -- NULL without a vocabulary
    label_method VARCHAR CHECK (label_method IN ('cosine', 'ctfidf', 'user')),  -- NULL without a vocabulary
    n_images INTEGER NOT NULL CHECK (n_images >= 2), n_fitted INTEGER NOT NULL,
    cluster INTEGER,                             -- HDBSCAN's raw number in the standing fit
    born_refresh_id INTEGER NOT NULL,
    map_x DOUBLE NOT NULL, map_y DOUBLE NOT NULL,  -- where its label stands on the map
    collage VARCHAR NOT NULL,
    embedding FLOAT[512] NOT NULL);              -- unit vector: mean of its exemplars, normalised

CREATE TABLE concept_images (
    image_id VARCHAR PRIMARY KEY,                -- one row for every usable image, outliers included
    concept_id INTEGER NOT NULL CHECK (concept_id >= -1),        -- -1: outlier
    probability FLOAT NOT NULL CHECK (probability BETWEEN 0 AND 1),
    similarity FLOAT,                            -- cosine to the concept's vector; NULL for outliers
    placed VARCHAR NOT NULL CHECK (placed IN ('fitted', 'assigned')),
    map_x DOUBLE NOT NULL, map_y DOUBLE NOT NULL,
    exemplar_rank INTEGER,                       -- 1.. for exemplars, else NULL
    CHECK (concept_id >= 0 OR (exemplar_rank IS NULL AND similarity IS NULL)));

CREATE TABLE concept_words (
    concept_id INTEGER, method VARCHAR CHECK (method IN ('cosine', 'ctfidf')), rank INTEGER CHECK (rank >= 1),
    word VARCHAR NOT NULL, score DOUBLE NOT NULL, PRIMARY KEY (concept_id, method, rank));

CREATE TABLE image_embeddings (image_id VARCHAR PRIMARY KEY, embedding FLOAT[512] NOT NULL);
CREATE TABLE word_embeddings (word VARCHAR PRIMARY KEY, embedding FLOAT[512] NOT NULL);

-- ── the past (rebuilt from history/<refresh_id>/*.parquet when this file is lost) ───────────────────────────────
CREATE TABLE refreshes (
    refresh_id INTEGER PRIMARY KEY,
    previous_refresh_id INTEGER,                 -- the state it started from; NULL for the first
    restored_refresh_id INTEGER,                 -- set by a rollback
    mode VARCHAR NOT NULL CHECK (mode IN ('fit', 'assigned', 'kept', 'rollback')),  -- kept: clusters reused
    fit_refresh_id INTEGER NOT NULL,             -- the refresh whose fit still stands
    title VARCHAR NOT NULL,                      -- '+120 -3 images, assigned', also the MLflow run's name
    reason VARCHAR, started_at TIMESTAMPTZ NOT NULL, published_at TIMESTAMPTZ NOT NULL,
    dagster_run_id VARCHAR NOT NULL, mlflow_run_id VARCHAR,      -- NULL: tracking was unreachable
    n_files INTEGER NOT NULL, n_failed INTEGER NOT NULL, n_images INTEGER NOT NULL,
    n_embedded INTEGER NOT NULL, n_reused INTEGER NOT NULL, n_concepts INTEGER NOT NULL, n_outliers INTEGER NOT NULL,
    metrics MAP(VARCHAR, DOUBLE) NOT NULL,       -- what MLflow got, but for publication's own time
    settings JSON NOT NULL, data_versions JSON NOT NULL);        -- asset -> {fingerprint, data_version}, and each external
                                                 -- input's version: what reuse and the sensor compare with

CREATE TABLE concept_history (
    refresh_id INTEGER, concept_id INTEGER, n_images INTEGER NOT NULL, label VARCHAR NOT NULL, named BOOLEAN NOT NULL,
    label_confidence DOUBLE, drift DOUBLE,       -- 1 - cosine to the previous refresh's vector; NULL when born or the model changed
    collage VARCHAR, embedding FLOAT[] NOT NULL, PRIMARY KEY (refresh_id, concept_id));

CREATE TABLE concept_events (
    refresh_id INTEGER, event_no INTEGER,        -- 1.. within a refresh, sorted by kind and ids
    kind VARCHAR NOT NULL CHECK (kind IN ('born', 'died', 'split', 'merged', 'grew', 'shrank', 'renamed')),
    concept_id INTEGER NOT NULL,                 -- split: the old one; merged: the new one
    other_concept_id INTEGER,                    -- split: one part a row; merged: one source a row
    overlap DOUBLE,                              -- shared survivors / the old concept's survivors
    n_before INTEGER, n_after INTEGER, label_before VARCHAR, label_after VARCHAR,
    PRIMARY KEY (refresh_id, event_no), CHECK ((kind IN ('split', 'merged')) = (other_concept_id IS NOT NULL)));

CREATE TABLE image_moves (                       -- only changes; the first refresh lists every image
    refresh_id INTEGER, image_id VARCHAR,
    from_concept_id INTEGER,                     -- NULL: was not there
    to_concept_id INTEGER,                       -- NULL: left
    PRIMARY KEY (refresh_id, image_id), CHECK (from_concept_id IS DISTINCT FROM to_concept_id));

CREATE TABLE curation (                          -- the user's word; re-applied after every fit to the matched concept
    refresh_id INTEGER, action_no INTEGER, action VARCHAR NOT NULL CHECK (action IN ('rename', 'merge', 'pin')),
    concept_id INTEGER NOT NULL, other_concept_id INTEGER, name VARCHAR,
    undone_refresh_id INTEGER, PRIMARY KEY (refresh_id, action_no));

-- ── questions in one line ──────────────────────────────────────────────────────────────────────────────────────
CREATE VIEW concept_summary AS
SELECT c.concept_id, c.label, c.named, c.label_confidence, c.n_images,
       c.n_images / (SELECT count(*) FROM concept_images) AS share,
       (SELECT list(w.word ORDER BY w.rank) FROM concept_words w
        WHERE w.concept_id = c.concept_id AND w.rank <= 5  -- beside a label of the user, the nearest words
          AND w.method = CASE c.label_method WHEN 'user' THEN 'cosine' ELSE c.label_method END) AS words,
       (SELECT list(i.path ORDER BY m.exemplar_rank) FROM concept_images m JOIN images i USING (image_id)
        WHERE m.concept_id = c.concept_id AND m.exemplar_rank IS NOT NULL) AS exemplars,
       h.drift, c.born_refresh_id, c.collage
FROM concepts c
LEFT JOIN concept_history h ON h.concept_id = c.concept_id AND h.refresh_id = (SELECT refresh_id FROM schema_info)
ORDER BY c.n_images DESC, c.concept_id;

CREATE VIEW problem_files AS
SELECT path, status, reason, bytes FROM image_files WHERE status <> 'usable' ORDER BY path_bytes;

CREATE VIEW duplicate_files AS
SELECT image_id, list(path ORDER BY path_bytes) AS paths FROM image_files
WHERE status = 'usable' GROUP BY image_id HAVING count(*) > 1 ORDER BY image_id;

CREATE VIEW latest_changes AS
SELECT * FROM concept_events WHERE refresh_id = (SELECT refresh_id FROM schema_info) ORDER BY event_no;

-- A term must be a stored word (SQL cannot run the text tower); anything else raises a line that says what to do.
CREATE MACRO word_vector(term) AS (
    SELECT coalesce((SELECT e.embedding FROM word_embeddings e WHERE lower(e.word) = lower(term)
                     ORDER BY e.word = term DESC, e.word LIMIT 1),
                    error('"' || coalesce(term, 'NULL') || '" is not in the vocabulary table; for any text use: concept find TEXT')));

CREATE MACRO find_concepts(term, top := 10) AS TABLE
SELECT c.concept_id, c.label, c.n_images, array_cosine_similarity(c.embedding, word_vector(term)) AS similarity
FROM concepts c ORDER BY similarity DESC, c.concept_id LIMIT top;

CREATE MACRO find_images(term, top := 20) AS TABLE
SELECT e.image_id, i.path, m.concept_id, array_cosine_similarity(e.embedding, word_vector(term)) AS similarity
FROM image_embeddings e JOIN images i USING (image_id) JOIN concept_images m USING (image_id)
ORDER BY similarity DESC, e.image_id LIMIT top;

-- image: an image_id or one of its paths.
CREATE MACRO similar_images(image, top := 20) AS TABLE
WITH q AS (SELECT e.image_id, e.embedding FROM image_embeddings e WHERE e.image_id = coalesce(
        (SELECT image_id FROM images WHERE image_id = image),
        (SELECT image_id FROM image_files WHERE path = image AND status = 'usable' ORDER BY path_bytes LIMIT 1),
        error('no usable image has this id or path: ' || coalesce(image, 'NULL'))))
SELECT e.image_id, i.path, m.concept_id, array_cosine_similarity(e.embedding, q.embedding) AS similarity
FROM q, image_embeddings e JOIN images i USING (image_id) JOIN concept_images m USING (image_id)
WHERE e.image_id <> q.image_id ORDER BY similarity DESC, e.image_id LIMIT top;

CREATE MACRO images_of(concept) AS TABLE
SELECT i.image_id, i.path, m.probability, m.similarity, m.placed, m.exemplar_rank
FROM concept_images m JOIN images i USING (image_id) WHERE m.concept_id = concept
ORDER BY m.exemplar_rank NULLS LAST, m.probability DESC, i.image_id;

-- Which concept each image had at a refresh, by replaying the moves. (Not arg_max: it skips NULL and would revive
-- deleted images.)
CREATE MACRO membership_at(refresh) AS TABLE
SELECT image_id, concept_id FROM (
    SELECT image_id, to_concept_id AS concept_id FROM image_moves WHERE refresh_id <= refresh
    QUALIFY row_number() OVER (PARTITION BY image_id ORDER BY refresh_id DESC) = 1)
WHERE concept_id IS NOT NULL;

CREATE MACRO compare_refreshes(a, b) AS TABLE
WITH known AS (SELECT count(DISTINCT refresh_id) AS n FROM refreshes WHERE refresh_id IN (a, b)),
p AS (SELECT x.concept_id AS ca, y.concept_id AS cb FROM membership_at(a) x FULL JOIN membership_at(b) y USING (image_id)),
n AS (SELECT concept_id, sum(in_a)::BIGINT AS n_a, sum(in_b)::BIGINT AS n_b, sum(same)::BIGINT AS kept,
             sum(fresh)::BIGINT AS new_images, sum(gone)::BIGINT AS removed_images
      FROM (SELECT ca AS concept_id, 1 AS in_a, 0 AS in_b, (cb IS NOT DISTINCT FROM ca)::INTEGER AS same, 0 AS fresh,
                   (cb IS NULL)::INTEGER AS gone FROM p WHERE ca IS NOT NULL
            UNION ALL SELECT cb, 0, 1, 0, (ca IS NULL)::INTEGER, 0 FROM p WHERE cb IS NOT NULL)
      GROUP BY concept_id)
SELECT n.concept_id, ha.label AS label_a, hb.label AS label_b, n_a, n_b, kept, new_images, removed_images,
       n_b - kept - new_images AS moved_in, n_a - kept - removed_images AS moved_out,
       kept / nullif(n_a + n_b - kept, 0) AS jaccard,
       CASE WHEN n.concept_id = -1 THEN 'outliers' WHEN n_a = 0 THEN 'born' WHEN n_b = 0 THEN 'died'
            WHEN n_a = kept AND n_b = kept THEN 'same' ELSE 'changed' END AS change
FROM n LEFT JOIN concept_history ha ON ha.refresh_id = a AND ha.concept_id = n.concept_id
       LEFT JOIN concept_history hb ON hb.refresh_id = b AND hb.concept_id = n.concept_id
WHERE CASE WHEN (SELECT n FROM known) = (CASE WHEN a = b THEN 1 ELSE 2 END) THEN true
           ELSE error('unknown refresh; see: SELECT refresh_id, title FROM refreshes') END
ORDER BY n.concept_id;
