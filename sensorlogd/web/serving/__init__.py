"""How the application is served: addresses, who may ask, and what every answer has."""
