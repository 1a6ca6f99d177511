"""A small CLIP of our own: weights, and the script that makes them."""
