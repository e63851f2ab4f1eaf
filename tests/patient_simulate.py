"""``sensorlogd simulate`` that gives its reader more time, for machines on which many tests run at once.

    python -m tests.patient_simulate simulate PROTOCOL ...

A reader that is kept from its processor must still get to set up the port before the first frame, and to the last one before
the port goes; everything is the product's own but these two times.
"""

from __future__ import annotations

import sys

from sensorlogd.cli.main import main
from sensorlogd.drivers.instruments import line, pretend

PATIENCE_S = 1.0

if __name__ == "__main__":
    line.SETTLE_S = pretend.LINGER_S = PATIENCE_S
    sys.exit(main())
