"""What machines watch the daemon by: metrics, and probes of health and readiness."""
