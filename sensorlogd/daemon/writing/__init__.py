"""From the inbox to the file: the writer thread, what it does at each turn, and what happens when the database fails."""
