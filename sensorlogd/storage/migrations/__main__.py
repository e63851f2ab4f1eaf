"""``python -m sensorlogd.storage.migrations PATH``: bring a database to the newest schema.

Exit status 0 done; 3 the file is damaged; 4 not possible now. The reason is the last line on stderr.
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from sensorlogd.storage.file.errors import Failure, classify, explain


def main() -> int:
    path = Path(sys.argv[1])
    # Alembic's templates would load all of pygments where it is installed, to colour what this process never shows.
    sys.modules.setdefault("pygments", None)  # type: ignore[arg-type]  # None: cannot be imported
    from sensorlogd.storage.migrations.upgrade import upgrade

    try:
        upgrade(path)
    except DBAPIError as error:
        if not isinstance(error.orig, sqlite3.Error):
            raise
        print(explain(path, error.orig), file=sys.stderr)
        return 3 if classify(error.orig) in (Failure.CORRUPT, Failure.NOTADB) else 4
    except sqlite3.Error as error:
        print(explain(path, error), file=sys.stderr)
        return 3 if classify(error) in (Failure.CORRUPT, Failure.NOTADB) else 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
