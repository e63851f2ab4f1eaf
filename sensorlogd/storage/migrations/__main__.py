"""``python -m sensorlogd.storage.migrations PATH``: bring a database to the newest schema.

Exit status 0 done; 1 not possible now; 3 the file is damaged. The reason is the last line on stderr.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sensorlogd.storage.database import Failure, classify
from sensorlogd.storage.migrations.upgrade import upgrade


def main() -> int:
    try:
        upgrade(Path(sys.argv[1]))
    except (sqlite3.Error, DBAPIError, OSError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        print(cause, file=sys.stderr)
        damaged = isinstance(cause, sqlite3.Error) and classify(cause) in (Failure.CORRUPT, Failure.NOTADB)
        return 3 if damaged else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
