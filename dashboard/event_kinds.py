"""TypeScript for the kinds of events, from ``sensorlogd.event_kinds``: src/state/event_kinds.ts.

python dashboard/event_kinds.py           write the file
python dashboard/event_kinds.py --check   exit 1 if it is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

TARGET = Path(__file__).parent / "src" / "state" / "event_kinds.ts"
HEAD = (
    "// Made from sensorlogd/event_kinds.py by dashboard/event_kinds.py. Do not edit: change the kinds there and run it again.\n"
)


def document() -> str:
    """The whole file, formatted as biome wants it."""
    from sensorlogd.event_kinds import EventKind

    severities = "".join(f'  {kind}: "{kind.severity}",\n' for kind in EventKind)
    of_database = "".join(f'  "{kind}",\n' for kind in EventKind if kind.of_database)
    return (
        f"{HEAD}\n"
        "/** How serious an event is. */\n"
        'export type Severity = "info" | "warning" | "critical";\n\n'
        "/** How serious each kind is. Logs also hold kinds that are not listed here, of newer releases and of other drivers. */\n"
        f"export const SEVERITIES: Readonly<Record<string, Severity>> = {{\n{severities}}};\n\n"
        "/** The kinds that say how the database fares: what it takes, loses, keeps and brings back. */\n"
        f"export const OF_DATABASE: ReadonlySet<string> = new Set([\n{of_database}]);\n"
    )


if __name__ == "__main__":
    wanted = document()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == wanted else f"{TARGET} is not up to date")
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
        TARGET.write_text(wanted, encoding="utf-8")
