"""Turns the times in files into microseconds UTC."""
