"""Trials of settings on what is published: what a refresh with them would find. Nothing here writes."""
