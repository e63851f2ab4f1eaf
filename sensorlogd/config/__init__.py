"""Turns YAML into a validated configuration; every error says where it is and what to do."""
