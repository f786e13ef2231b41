"""How what commands share is typed: classes, seeds, places for results."""
