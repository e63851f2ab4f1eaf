"""The main thread: it starts everything, watches it, reloads it, stops it."""
