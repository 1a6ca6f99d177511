"""Public collections of photos: fetched, checked and unpacked."""
