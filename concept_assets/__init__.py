"""The Dagster face of Concept Atlas: assets, resources, and the command line."""
