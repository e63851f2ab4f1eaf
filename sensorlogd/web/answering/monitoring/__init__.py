"""What monitoring systems read: metrics, and the probes of health and readiness."""
