"""How values are written and read: numbers, points in time, durations and their units, unit signs, rows of CSV, commands that undo."""
