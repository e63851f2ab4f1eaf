"""The table of kinds of events in docs/data-model.md, made from ``EventKind`` itself.

python packages/event_table.py        writes it anew, where the kinds have changed
"""

from __future__ import annotations

from pathlib import Path

from sensorlogd.event_kinds import EventKind

PAGE = Path(__file__).resolve().parents[1] / "docs/data-model.md"
BEGIN = "<!-- made by packages/event_table.py -->\n"
END = "\n## "  # the heading that follows


def table() -> str:
    """As it stands in the page."""
    rows = [f"| `{kind}` | {kind.severity} | {kind.meaning} |" for kind in EventKind]
    return "\n".join(["| kind | severity | meaning |", "|---|---|---|", *rows, ""])


def with_table(page: str) -> str:
    """The page with the table as it should be."""
    before, mark, rest = page.partition(BEGIN)
    _, heading, after = rest.partition(END)
    return before + mark + "\n" + table() + heading + after


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
