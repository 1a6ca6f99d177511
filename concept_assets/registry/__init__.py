"""MLflow's registry of models: what is registered, which version is champion, and how it answers."""
