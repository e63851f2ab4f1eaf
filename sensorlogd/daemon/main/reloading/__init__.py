"""The configuration that runs, and how another one takes its place."""
