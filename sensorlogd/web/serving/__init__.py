"""How the application is served: addresses, access, and the headers of every answer."""
