"""What is in the folder, how it is decoded, and the rendered sample gallery."""
