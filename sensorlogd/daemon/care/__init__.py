"""What the daemon does on a schedule beside logging: backups, and a sign of life for a monitor elsewhere."""
