"""Collages and figures for people who look before they read."""
