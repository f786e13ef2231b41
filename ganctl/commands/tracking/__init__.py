"""Commands that read run folders alone: no config is composed, and no torch imported."""
