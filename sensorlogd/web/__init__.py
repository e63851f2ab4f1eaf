"""The web process: dashboard, JSON API, Prometheus read API and metrics. Reads the database, writes nothing."""
