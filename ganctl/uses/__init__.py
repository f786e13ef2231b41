"""What a trained generator is good for beyond samples: the mathematics of the commands that show it."""
