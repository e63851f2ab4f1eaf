"""What the daemon does when it is asked, by theme; ``dispatch`` finds the handler of a request."""
