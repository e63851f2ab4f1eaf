"""What can be asked over the control socket, by theme; ``registry`` knows all of it by its name on the wire."""
