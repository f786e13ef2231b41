"""Run folders: which is whose, the lock, the status, the checkpoints, and what a new start makes of them."""
