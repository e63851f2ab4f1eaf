"""Regular expressions of a configuration, with a proof that no line can make one expensive."""
