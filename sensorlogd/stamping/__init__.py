"""Interprets times that devices and files tell: completes them, turns them into UTC, tells equal ones apart, judges them. Shared by
drivers and import. Pure."""
