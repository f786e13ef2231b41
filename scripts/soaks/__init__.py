"""Kills at random moments, or at a stage of a save: what is killed, where, and what the run must then be."""
