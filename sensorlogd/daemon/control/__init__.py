"""What other verbs and the pages ask of the daemon.

``requests`` what can be asked · ``answers`` what comes back · ``handlers`` what is done for it · ``control_socket``,
``client_thread`` how it travels · ``offline`` the same work while no daemon runs."""
