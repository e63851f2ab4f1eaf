"""Processes that look for answers, and what they make of them: each of them can be ended."""
