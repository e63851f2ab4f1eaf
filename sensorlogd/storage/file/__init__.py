"""The file itself: whose it is, whether it is still the one that was opened, its write-ahead log, who holds it."""
