"""Regular expressions of a configuration, and the proof that no line makes one expensive."""
