"""MLflow: a run a refresh, and a run an experiment with one below it for each trial."""
