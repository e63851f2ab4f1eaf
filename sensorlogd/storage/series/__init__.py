"""Which sensors and series a log knows: as the configuration names them, as files bring them, as others find them."""
