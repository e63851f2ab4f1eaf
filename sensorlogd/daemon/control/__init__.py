"""What other verbs ask of the daemon: the socket, the requests, and the same work without a daemon."""
