"""``python -m sensorlogd.daemon.rollups.spawn_main DATABASE``: the aggregator process (see ``process``).

Its name is in the command line, where whoever watches a daemon from outside finds its aggregator: by the word ``spawn_main``, as
of any process that Python's ``multiprocessing`` spawns, which is how this one was started before.
"""

from __future__ import annotations

from sensorlogd.daemon.rollups.process import main

if __name__ == "__main__":
    main()
