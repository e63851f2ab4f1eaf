"""What speaks on a port nobody has described: listening, asking, guessing."""
