"""The time of the machine, and whether it can be believed."""
