"""What people run: benchmarks, kills of runs, golden losses, published tables."""
