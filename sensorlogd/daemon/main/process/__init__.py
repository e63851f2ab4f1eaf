"""The process and its system: locks, log lines, signals, what systemd is notified of."""
