"""What lets processes and threads of the daemon start and wake each other."""
