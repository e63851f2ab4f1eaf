"""How people are told: what a message says, when it is sent, and by which means."""
