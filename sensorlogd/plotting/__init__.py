"""Curves as pictures: in the terminal, as PNG or SVG."""
