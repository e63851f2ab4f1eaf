"""From a driver to the inbox: the thread of each sensor, and how it treats the readings."""
