"""When the database fails: what an error means, what is done about it, how the log is opened again."""
