"""The main thread: it starts everything, watches it, reloads it, stops it.

``run`` its locks and signals · ``build`` makes all parts · ``supervisor`` runs them · ``status`` what the daemon says
of itself · ``components`` what is started, each a part that may fail · ``reloading`` the configuration that runs, and
the next one · ``process`` locks, log lines, signals, systemd."""
