"""Finds mistakes with keys, colons and indentation in the lines of a YAML text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from sensorlogd.config.text.finding import BlockLine, Finding, shown

_KEY = re.compile(r"""(?P<key>[^\s"'\[{#][^:]*?|"[^"]*"|'[^']*') *:(?:\s+(?P<value>.*)|$)""")
_ITEM = re.compile(r"-(\s+|$)")
_EQUALS = re.compile(r"([\w.-]+)\s*=\s*(.*)")
_GLUED = re.compile(r"([\w-]+):([^\s/].*)")
_NO_COLON = re.compile(r"([\w-]+)(\s+(.*))?$")
_WIDE_COLON = re.compile(r"([\w-]+)\s*[\uff1a\ufe55\ua789\u2236]\s*(.*)")
_OTHER_REMARK = re.compile(r"//|/\*|--\s|;|REM\s")
_QUOTED = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?P<more>[^\s#].*)""")


def find(lines: list[BlockLine], until: int) -> Finding | None:
    """The first mistake in the lines up to line number ``until``; None if there is none."""
    return next((found for found in _findings(lines) if found.line <= until), None)


def _findings(lines: list[BlockLine]) -> Iterator[Finding]:
    """The mistakes of the lines, in their order. A line is judged by the levels that are open and by its neighbours."""
    levels: list[int] = []  # the columns at which keys or entries stand, outermost first
    left: list[int] = []  # the columns that the line before ended
    before: BlockLine | None = None
    followed = [*((line, following) for line, following in pairwise(lines)), *((line, None) for line in lines[-1:])]
    for line, after in followed:
        if line.text in ("---", "...") or line.text.startswith("%"):
            continue
        indent, text, is_item = line.indent, line.text, False
        found = _check_level(line, levels, left, before)
        if found is not None:
            yield found
        left = [level for level in levels if level > indent]
        while levels and levels[-1] > indent:
            levels.pop()
        while (item := _ITEM.match(text)) is not None:
            levels.append(indent)
            indent, text, is_item = indent + item.end(), text[item.end() :], True
        key = _KEY.fullmatch(text)
        if key is not None:
            if not levels or levels[-1] != indent:
                levels.append(indent)
            yield from _check_value(line, indent, key)
        elif not is_item or (after is not None and after.indent > line.indent):
            yield from _check_without_key(line, indent, text, before, after)
        before = line


def _has_value(line: BlockLine) -> bool:
    key = _KEY.fullmatch(line.text)
    return key is not None and bool((key["value"] or "").strip()) and not re.match(r"[&!]\S*$|[|>]", key["value"])


def _check_level(line: BlockLine, levels: list[int], left: list[int], before: BlockLine | None) -> Finding | None:
    """The mistake of a line that is indented deeper than it may be, or between two levels."""
    if not levels or before is None or (_KEY.fullmatch(line.text) is None and not _ITEM.match(line.text)):
        return None
    here, mine = line.indent, shown(line.text)
    if here in left and _has_value(before):
        return Finding(
            before.number,
            before.indent + 1,
            f"{shown(before.text)} stands {_blanks(before.indent)} in, and the lines around it {here}; keys that belong together"
            f" begin in the same column: indent it by {_blanks(here - before.indent)} more",
        )
    if here > levels[-1] and _has_value(before):
        return Finding(
            line.number,
            here + 1,
            f"{mine} stands {_blanks(here)} in, deeper than {shown(before.text)} above it, which has its value already; begin both"
            f" in the same column ({_blanks(levels[-1])})",
        )
    if here < levels[-1] and here not in levels:
        near = sorted(set(levels), key=lambda level: abs(level - here))[:2]
        allowed = " or ".join(str(level) for level in sorted(near))
        return Finding(
            line.number,
            here + 1,
            f"{mine} stands {_blanks(here)} in, between two levels; keys that belong together begin in the same column (here"
            f" {allowed} blanks)",
        )
    if here == levels[-1] and _ITEM.match(line.text) and _has_value(before):
        return Finding(
            line.number,
            here + 1,
            f"{mine} is the entry of a list among keys; a line here is 'key: value': take the dash away",
        )
    return None


def _check_value(line: BlockLine, indent: int, key: re.Match[str]) -> Iterator[Finding]:
    """The mistake of a value that goes on after a closed quote, or that holds a colon and a blank."""
    value = (key["value"] or "").strip()
    if not value or value[0] in "[{|>":
        return
    col = indent + key.start("value") + 1
    quoted = _QUOTED.match(value)
    if quoted is not None:
        yield Finding(
            line.number,
            col + quoted.start("more"),
            f"{shown(quoted['more'])} follows a closed quote in {shown(line.text)}; put all of the value into one pair of quotes",
        )
    elif value[0] not in "\"'" and re.search(r":(\s|$)", value):
        yield Finding(
            line.number,
            col,
            f"the value {shown(value)} of {key['key']} holds a colon and a blank, which begin another key; put the value in quotes:"
            f" {key['key']}: '{value}'",
        )


def _check_without_key(
    line: BlockLine, indent: int, text: str, before: BlockLine | None, after: BlockLine | None
) -> Iterator[Finding]:
    """The mistake of a line without 'key: '. Below a key without brackets such a line may be the rest of a long text."""
    if (wide := _WIDE_COLON.fullmatch(text)) is not None:
        cure = f"a line is 'key: value', with a plain one: write {_pair(wide[1], wide[2])}"
        yield Finding(line.number, indent + 1, f"{shown(text)} has a colon of another script; {cure}")
        return
    if _OTHER_REMARK.match(text):
        yield Finding(line.number, indent + 1, f"{shown(text)} is not a 'key: value'; if it is a remark, begin it with #")
        return
    leads = after is not None and after.indent > line.indent and _KEY.fullmatch(after.text) is not None
    if before is not None and line.indent > before.indent and not leads:
        return
    mine, col = shown(text), indent + 1
    if (equals := _EQUALS.fullmatch(text)) is not None:
        yield Finding(line.number, col, f"{mine} has = for a colon; a line is 'key: value': write {_pair(equals[1], equals[2])}")
    elif (glued := _GLUED.fullmatch(text)) is not None:
        cure = _pair(glued[1], glued[2])
        yield Finding(line.number, col, f"{mine} has no blank after the colon; a line is 'key: value': write {cure}")
    elif text.startswith("-") and not text.startswith("--"):
        yield Finding(
            line.number, col, f"{mine} has no blank after the dash; an entry of a list is '- entry': write '- {text[1:]}'"
        )
    elif len(text.split()) > 2 and before is not None:
        cure = "put the value after a colon and a blank, or # before a remark"
        yield Finding(line.number, col, f"{mine} has no colon; a line is 'key: value': {cure}")
    elif (bare := _NO_COLON.fullmatch(text)) is not None:
        yield Finding(
            line.number, col, f"{mine} has no colon; a line is 'key: value': write {_pair(bare[1], (bare[3] or '').strip())}"
        )


def _pair(key: str, value: str) -> str:
    return repr(f"{key}: {value.strip()}".rstrip())


def _blanks(number: int) -> str:
    return "1 blank" if number == 1 else f"{number} blanks"
