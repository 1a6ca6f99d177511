"""Concept 0.2.1 (MaartenGr/Concept), from which this product starts, in an environment of its own."""
