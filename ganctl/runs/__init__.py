"""The life of a run: its start, its steps, what is due after each, and what is measured and reported."""
