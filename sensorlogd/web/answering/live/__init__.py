"""New readings as they are committed: the log is looked at once, and what is found is sent to all viewers."""
