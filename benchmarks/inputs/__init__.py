"""What is measured on: pictures, vectors of known truth, and a CLIP of random weights. All are drawn from seeds."""
