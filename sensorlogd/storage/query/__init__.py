"""Questions to a log, and their answers."""
