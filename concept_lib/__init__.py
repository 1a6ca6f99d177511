"""Plain Python below Dagster: images, vocabulary, embedding, modeling, pictures, database."""
