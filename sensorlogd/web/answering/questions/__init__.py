"""What is asked of the log, as functions of it: one theme a file. They run on a query thread or in a worker, and return what only has
to be encoded."""
