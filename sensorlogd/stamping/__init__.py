"""Times that others wrote: completed, put into UTC, told apart, judged. Shared by drivers and import. Pure."""
