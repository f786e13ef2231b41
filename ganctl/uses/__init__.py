"""What trained generators are used for."""
