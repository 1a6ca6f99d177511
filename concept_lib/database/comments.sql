-- What each table, view, macro and column is: shown by SQL tools, and the one source of the documentation.

COMMENT ON TABLE schema_info IS 'What this file is and which state it shows: one row.';
COMMENT ON COLUMN schema_info.schema_version IS 'Version of these tables; another one needs another release.';
COMMENT ON COLUMN schema_info.product_version IS 'Release that wrote the file.';
COMMENT ON COLUMN schema_info.refresh_id IS 'The state this file shows.';
COMMENT ON COLUMN schema_info.model_fingerprint IS 'Weights, preprocessing, backend and precision of the image tower.';
COMMENT ON COLUMN schema_info.embedding_dim IS 'Length of every vector of the present.';

COMMENT ON TABLE images IS 'One row a distinct usable image (by content).';
COMMENT ON COLUMN images.image_id IS 'SHA-256 of the bytes, lower-case hex.';
COMMENT ON COLUMN images.path IS 'Shown name: the first of its files in byte order.';
COMMENT ON COLUMN images.format IS 'Format as decoded, such as JPEG.';
COMMENT ON COLUMN images.width IS 'Pixels, after EXIF orientation.';
COMMENT ON COLUMN images.height IS 'Pixels, after EXIF orientation.';
COMMENT ON COLUMN images.bytes IS 'Size of the file.';
COMMENT ON COLUMN images.n_files IS 'How many files hold this content.';
COMMENT ON COLUMN images.thumbnail IS 'Thumbnail of 256 px, relative to the home folder.';

COMMENT ON TABLE image_files IS 'One row a file of the folder, with what became of it.';
COMMENT ON COLUMN image_files.path_bytes IS 'The true name, relative to the image folder.';
COMMENT ON COLUMN image_files.path IS 'The name for people; bytes that are not UTF-8 as \xNN.';
COMMENT ON COLUMN image_files.status IS 'usable, failed, or skipped (left out on purpose).';
COMMENT ON COLUMN image_files.reason IS 'One line; NULL exactly when usable.';
COMMENT ON COLUMN image_files.image_id IS 'Content of the file; NULL when never hashed.';
COMMENT ON COLUMN image_files.bytes IS 'Size of the file.';

COMMENT ON TABLE vocabulary IS 'One row a word that may name a concept.';
COMMENT ON COLUMN vocabulary.word IS 'The word or phrase.';
COMMENT ON COLUMN vocabulary.word_id IS 'Position in the source.';
COMMENT ON COLUMN vocabulary.source IS 'nouns, wordnet, or the name of a file.';

COMMENT ON TABLE concepts IS 'One row a living concept; concept_id lasts over refreshes.';
COMMENT ON COLUMN concepts.concept_id IS 'Lasting number, never used twice.';
COMMENT ON COLUMN concepts.label IS 'Shown words; unnamed when named is false.';
COMMENT ON COLUMN concepts.named IS 'Whether the label is trusted.';
COMMENT ON COLUMN concepts.label_confidence IS '0 to 1, from the best word''s cosine; NULL without a vocabulary.';
COMMENT ON COLUMN concepts.label_method IS 'Where the label comes from: cosine, ctfidf or user; NULL without a vocabulary.';
COMMENT ON COLUMN concepts.n_images IS 'Members.';
COMMENT ON COLUMN concepts.n_fitted IS 'Members that the standing fit saw.';
COMMENT ON COLUMN concepts.cluster IS 'HDBSCAN''s number in the standing fit.';
COMMENT ON COLUMN concepts.born_refresh_id IS 'Refresh that made the concept.';
COMMENT ON COLUMN concepts.map_x IS 'Where its label stands on the map.';
COMMENT ON COLUMN concepts.map_y IS 'Where its label stands on the map.';
COMMENT ON COLUMN concepts.collage IS 'Picture of its exemplars, relative to the home folder.';
COMMENT ON COLUMN concepts.embedding IS 'Unit vector of the concept in the space of images and words.';

COMMENT ON TABLE concept_images IS 'Which concept an image belongs to (-1: none) and where it lies on the map.';
COMMENT ON COLUMN concept_images.image_id IS 'One row for every usable image, outliers included.';
COMMENT ON COLUMN concept_images.concept_id IS '-1 for an outlier.';
COMMENT ON COLUMN concept_images.probability IS 'Strength of membership, 0 to 1.';
COMMENT ON COLUMN concept_images.similarity IS 'Cosine to the concept''s vector; NULL for outliers.';
COMMENT ON COLUMN concept_images.placed IS 'fitted with the standing fit, or assigned to it: it came later, or was not in the sample of a large fit.';
COMMENT ON COLUMN concept_images.map_x IS 'Place on the map.';
COMMENT ON COLUMN concept_images.map_y IS 'Place on the map.';
COMMENT ON COLUMN concept_images.exemplar_rank IS '1 for the best exemplar of its concept; NULL for the others.';

COMMENT ON TABLE concept_words IS 'Nearest words of each concept, by two methods.';
COMMENT ON COLUMN concept_words.concept_id IS 'The concept.';
COMMENT ON COLUMN concept_words.method IS 'cosine or ctfidf.';
COMMENT ON COLUMN concept_words.rank IS '1 is the best word.';
COMMENT ON COLUMN concept_words.word IS 'A word of the vocabulary.';
COMMENT ON COLUMN concept_words.score IS 'Cosine, or c-TF-IDF weight.';

COMMENT ON TABLE image_embeddings IS 'Unit vector of each image.';
COMMENT ON COLUMN image_embeddings.image_id IS 'The image.';
COMMENT ON COLUMN image_embeddings.embedding IS 'Unit vector by the image tower.';

COMMENT ON TABLE word_embeddings IS 'Unit vector of each word.';
COMMENT ON COLUMN word_embeddings.word IS 'The word.';
COMMENT ON COLUMN word_embeddings.embedding IS 'Unit vector by the text tower; words are embedded bare.';

COMMENT ON TABLE refreshes IS 'One row a published refresh.';
COMMENT ON COLUMN refreshes.refresh_id IS 'Growing number; failed refreshes leave gaps.';
COMMENT ON COLUMN refreshes.previous_refresh_id IS 'The state it started from; NULL for the first.';
COMMENT ON COLUMN refreshes.restored_refresh_id IS 'The state that a rollback brought back.';
COMMENT ON COLUMN refreshes.mode IS 'fit, assigned, kept (clusters reused) or rollback.';
COMMENT ON COLUMN refreshes.fit_refresh_id IS 'The refresh whose fit still stands.';
COMMENT ON COLUMN refreshes.title IS 'What it did, in a few words.';
COMMENT ON COLUMN refreshes.reason IS 'Why it had to fit.';
COMMENT ON COLUMN refreshes.started_at IS 'When its run began.';
COMMENT ON COLUMN refreshes.published_at IS 'When this state was written.';
COMMENT ON COLUMN refreshes.dagster_run_id IS 'The Dagster run.';
COMMENT ON COLUMN refreshes.mlflow_run_id IS 'The MLflow run; NULL when tracking was off or out of reach.';
COMMENT ON COLUMN refreshes.n_files IS 'Files that claim to be a picture.';
COMMENT ON COLUMN refreshes.n_failed IS 'Files that could not be used.';
COMMENT ON COLUMN refreshes.n_images IS 'Distinct usable images.';
COMMENT ON COLUMN refreshes.n_embedded IS 'Images embedded by this refresh.';
COMMENT ON COLUMN refreshes.n_reused IS 'Images whose vectors were there before.';
COMMENT ON COLUMN refreshes.n_concepts IS 'Living concepts.';
COMMENT ON COLUMN refreshes.n_outliers IS 'Images of no concept.';
COMMENT ON COLUMN refreshes.metrics IS 'The numbers that MLflow got.';
COMMENT ON COLUMN refreshes.settings IS 'Every setting in force.';
COMMENT ON COLUMN refreshes.data_versions IS 'Fingerprint and data version of each asset, and the version of each input.';

COMMENT ON TABLE concept_history IS 'Each concept as it stood at each refresh.';
COMMENT ON COLUMN concept_history.refresh_id IS 'The refresh.';
COMMENT ON COLUMN concept_history.concept_id IS 'The concept.';
COMMENT ON COLUMN concept_history.n_images IS 'Members then.';
COMMENT ON COLUMN concept_history.label IS 'Shown words then.';
COMMENT ON COLUMN concept_history.named IS 'Whether the label was trusted.';
COMMENT ON COLUMN concept_history.label_confidence IS '0 to 1; NULL without a vocabulary.';
COMMENT ON COLUMN concept_history.drift IS '1 - cosine to the previous refresh''s vector; NULL when born or the model changed.';
COMMENT ON COLUMN concept_history.collage IS 'Picture of its exemplars then; NULL where an image of it was forgotten.';
COMMENT ON COLUMN concept_history.embedding IS 'Unit vector then; a list, for models differ in dimension. Empty where an image of it was forgotten.';

COMMENT ON TABLE concept_events IS 'Every birth, death, split, merge, growth, shrinkage and new name.';
COMMENT ON COLUMN concept_events.refresh_id IS 'The refresh.';
COMMENT ON COLUMN concept_events.event_no IS '1, 2, ... within a refresh.';
COMMENT ON COLUMN concept_events.kind IS 'born, died, split, merged, grew, shrank or renamed.';
COMMENT ON COLUMN concept_events.concept_id IS 'The concept; of a split the old one, of a merge the new one.';
COMMENT ON COLUMN concept_events.other_concept_id IS 'One part of a split, or one source of a merge, a row.';
COMMENT ON COLUMN concept_events.overlap IS 'Shared survivors / the old concept''s survivors.';
COMMENT ON COLUMN concept_events.n_before IS 'Images before; of a split''s concept, or of a merge''s source.';
COMMENT ON COLUMN concept_events.n_after IS 'Images after; of a split''s part, or of a merge''s concept.';
COMMENT ON COLUMN concept_events.label_before IS 'Label before, of the same concept as n_before.';
COMMENT ON COLUMN concept_events.label_after IS 'Label after, of the same concept as n_after.';

COMMENT ON TABLE image_moves IS 'Every change of concept of every image; membership_at(n) replays it.';
COMMENT ON COLUMN image_moves.refresh_id IS 'The refresh.';
COMMENT ON COLUMN image_moves.image_id IS 'The image.';
COMMENT ON COLUMN image_moves.from_concept_id IS 'NULL: was not there.';
COMMENT ON COLUMN image_moves.to_concept_id IS 'NULL: left.';

COMMENT ON TABLE curation IS 'What the user decided; applied again after every fit.';
COMMENT ON COLUMN curation.refresh_id IS 'The refresh that first obeyed.';
COMMENT ON COLUMN curation.action_no IS 'Its number, as concept curation lists it.';
COMMENT ON COLUMN curation.action IS 'rename, merge or pin.';
COMMENT ON COLUMN curation.concept_id IS 'The concept.';
COMMENT ON COLUMN curation.other_concept_id IS 'The concept merged into it.';
COMMENT ON COLUMN curation.name IS 'The label that the user gave or pinned.';
COMMENT ON COLUMN curation.undone_refresh_id IS 'The refresh that took it back.';

COMMENT ON VIEW concept_summary IS 'The first thing to look at: one readable row a concept.';
COMMENT ON VIEW problem_files IS 'Files that could not be used, or were left out, and why.';
COMMENT ON VIEW duplicate_files IS 'Contents that more than one file holds.';
COMMENT ON VIEW latest_changes IS 'What the last refresh did to the concepts.';

COMMENT ON MACRO word_vector IS 'Vector of a stored word; any other term raises an error that says what to do.';
COMMENT ON MACRO TABLE find_concepts IS 'Concepts nearest to a word of the vocabulary.';
COMMENT ON MACRO TABLE find_images IS 'Images nearest to a word of the vocabulary.';
COMMENT ON MACRO TABLE similar_images IS 'Images nearest to an image, by its id or one of its paths.';
COMMENT ON MACRO TABLE images_of IS 'Images of a concept, exemplars first.';
COMMENT ON MACRO TABLE membership_at IS 'Which concept each image had at a refresh.';
COMMENT ON MACRO TABLE compare_refreshes IS 'What happened to each concept between two refreshes.';
