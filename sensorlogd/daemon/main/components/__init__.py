"""What the main thread starts, watches and stops; each may fail to start and costs itself only."""
