"""Checkpoints: files that a stranger may have written, and the state that they hold."""
