"""How people are notified: what a message says, when it is sent, and by which means."""
