"""Between the judge and the database: shown at each commit, stored with it, learned again at a start."""
