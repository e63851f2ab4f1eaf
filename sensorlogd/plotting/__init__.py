"""Draws curves: in the terminal, as PNG or SVG."""
