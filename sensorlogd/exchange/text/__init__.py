"""Reads lines of text of unknown origin, their cells and the numbers in them; keeps the lines that cannot be read."""
