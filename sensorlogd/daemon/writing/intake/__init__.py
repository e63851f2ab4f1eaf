"""What comes from other threads and waits to be stored: readings, events, notices."""
