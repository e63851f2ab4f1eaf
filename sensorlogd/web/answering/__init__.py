"""What is answered: the JSON API, the live stream, metrics and probes."""
