"""New readings as they are committed: one look at the log, told to all who listen."""
