"""What a trained generator is for: the mathematics of each use."""
