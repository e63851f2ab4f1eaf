"""From the inbox to the file, and what happens when the database fails."""
