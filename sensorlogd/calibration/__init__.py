"""Scales, polynomials and tables of points that turn a raw value into the one that is stored."""
