"""The published state: schema, publication, history and queries."""
