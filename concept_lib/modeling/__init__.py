"""Neighbours, reduction, clusters, exemplars, labels: arrays in, arrays out."""
