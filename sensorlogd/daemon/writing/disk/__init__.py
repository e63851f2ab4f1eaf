"""What lies on the disk around the database: free space, spills, a write-ahead log that grows."""
