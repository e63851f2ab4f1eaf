"""``sensorlogd simulate`` that gives its reader more time, for machines on which many tests run at once.

    python -m tests.patient_simulate simulate PROTOCOL ...

A reader that is kept from its processor must still get to set up the port before the first frame, and to the last one before
the port goes; everything is the product's own but these two times.
"""

from __future__ import annotations

import sys

from sensorlogd.cli.main import main
from sensorlogd.drivers.instruments import line, pretend

QUIET_S = 3.0  # so that a reader has heard nothing for a second, and knows that the first line is whole
LINGER_S = 1.0

if __name__ == "__main__":
    line.SETTLE_S, pretend.LINGER_S = QUIET_S, LINGER_S
    main()
    sys.exit()
