"""The text of a YAML file: what stands where, and why it is no YAML."""
