"""Sensors and series as they are named: how their rows are made, and which there are without a configuration."""
