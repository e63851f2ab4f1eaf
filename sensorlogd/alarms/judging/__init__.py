"""From readings, events and time to states: pure, without database, clock or thread."""
