"""One transaction: what it is made of, who watches it, and what becomes of a batch that has a fault."""
