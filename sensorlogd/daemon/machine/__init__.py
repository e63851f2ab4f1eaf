"""Whether a configuration can work on this machine: ports, permissions, folders, space, addresses, clocks.

Looks only: no port is opened (that resets many a board), no address is bound, nothing is written.
"""

from sensorlogd.daemon.machine.checks import check
from sensorlogd.daemon.machine.finding import Finding

__all__ = ["Finding", "check"]
