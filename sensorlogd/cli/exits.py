"""The exit statuses of verbs, by name."""

from sensorlogd.processes import interrupts

OK = 0
FAILURE = 1
USAGE = 2  # a mistake on the command line, an unknown series included
NO_DATA = 3  # known, but there is nothing to show
STALE = 4  # from status and latest: some series is older than its heartbeat
BAD_CONFIG = 78  # EX_CONFIG of sysexits.h: systemd does not restart on it
INTERRUPTED = interrupts.STATUS  # Ctrl-C
READER_LEFT = 141  # SIGPIPE, as shells number it: `sensorlogd tail | head` is over
