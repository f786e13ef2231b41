"""The parts of `ganctl evaluate`: its keys, what it compares, where results are kept, and how they are shown."""
