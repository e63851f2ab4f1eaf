"""How values are written and read: numbers, points in time, durations, unit signs, rows of CSV."""
