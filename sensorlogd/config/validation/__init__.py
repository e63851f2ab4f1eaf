"""Says in plain words what is wrong, or will be regretted, in a configuration."""
