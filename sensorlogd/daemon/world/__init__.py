"""Whether a configuration can work on this machine: ports, permissions, folders, space, addresses, clocks.

Looks only: no port is opened (that resets many a board), no address is bound, nothing is written.
"""

from sensorlogd.daemon.world.finding import Finding
from sensorlogd.daemon.world.look import look

__all__ = ["Finding", "look"]
