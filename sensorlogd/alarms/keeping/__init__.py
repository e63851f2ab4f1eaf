"""Between the judge and the database: alarms are judged before each commit, stored with it, and read again at a start."""
