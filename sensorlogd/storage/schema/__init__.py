"""The newest schema: a file that holds it, and how a database that is older or empty gets it."""
