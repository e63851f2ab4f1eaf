"""What the writer does between two commits: jobs of other threads, kept work, upkeep."""
