"""What time it is, and whether that can be believed."""
