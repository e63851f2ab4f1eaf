"""Says which cell of a table is the time and which series the others belong to: our own formats, and those of other programs."""
