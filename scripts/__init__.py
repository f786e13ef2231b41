"""What is run by hand: measurements, pictures, tables."""
