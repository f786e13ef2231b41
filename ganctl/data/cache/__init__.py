"""Sets of images of one's own, decoded once and stored for every run."""
