"""From a driver to the inbox: the thread of a sensor, and what happens to its readings there."""
