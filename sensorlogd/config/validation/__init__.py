"""What is wrong or regrettable in a configuration, in plain words."""
