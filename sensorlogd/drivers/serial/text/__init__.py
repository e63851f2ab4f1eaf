"""Lines of text: cut out of the bytes, and read as CSV, key=value, JSON or by a regular expression."""
