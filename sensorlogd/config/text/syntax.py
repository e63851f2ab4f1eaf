"""Explains in plain words why a text is not valid YAML: what stands there, what may stand there, what to write.

The parser says where it gave up, which is often lines after the mistake. So the text is searched again for the mistakes that
people make: quotes and brackets first, then tabs and special characters, then colons and indentation.
"""

from __future__ import annotations

import re

import yaml

from sensorlogd.config.text import block_lines, brackets
from sensorlogd.config.text.finding import Finding, shown

_SPECIAL = {
    "%": "a percent sign",
    "@": "an at sign",
    "`": "a backquote",
    "*": "an asterisk",
    "&": "an ampersand",
    "!": "an exclamation mark",
    "|": "a bar",
    ">": "an angle bracket",
    ",": "a comma",
    "?": "a question mark",
}


def explain(text: str, error: yaml.MarkedYAMLError) -> Finding:
    """The mistake that made the parser raise ``error``."""
    mark = error.problem_mark or error.context_mark
    line, col = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines() or [""]
    words = f"{error.context or ''} {error.problem or ''}"
    tab = _find_tab(lines, min(line, len(lines)))
    if tab is not None:
        return tab
    findings, block = brackets.walk(text)
    first = findings[0] if findings else None
    if first is not None and first.line <= line:
        return first
    return (
        _find_escape(lines, line, col, words)
        or _find_anchor(lines, line, col, words)
        or _find_special(lines, line)
        or block_lines.find(block, line)
        or _describe_line(lines, line, col)
    )


def _find_tab(lines: list[str], line: int) -> Finding | None:
    """The mistake of a tab before the first word of the line at which reading ended, or of the line before."""
    for number in (line, line - 1):
        if not 1 <= number <= len(lines):
            continue
        indent = re.match(r"[ \t]*", lines[number - 1])
        if indent is not None and "\t" in indent[0] and lines[number - 1].strip():
            rest = shown(lines[number - 1])
            col = indent[0].index("\t") + 1
            return Finding(
                number, col, f"a tab stands before {rest}; a line is indented by blanks only: replace the tab by blanks"
            )
    return None


def _find_escape(lines: list[str], line: int, col: int, words: str) -> Finding | None:
    """The mistake of a backslash in double quotes, if the parser complains of that."""
    if "escape" not in words:
        return None
    return Finding(
        line,
        col,
        f"a backslash in double quotes, in {shown(_text_of(lines, line))}, begins a special character; use single quotes ('C:\\temp'), or"
        " write the backslash twice",
    )


def _find_anchor(lines: list[str], line: int, col: int, words: str) -> Finding | None:
    """The mistake of a value that begins with * or &, if the parser complains of that."""
    if "alias" not in words and "anchor" not in words:
        return None
    if _text_of(lines, line)[col - 2 : col - 1] in ("*", "&"):  # what it could not read stands after the sign
        col -= 1
    found = re.match(r"\S*[^\s,\]}]", _text_of(lines, line)[col - 1 :])
    what = found[0] if found else "*"
    return Finding(
        line,
        col,
        f"{what!r} begins with {_SPECIAL.get(what[:1], 'a special character')}, which refers to a marked part, and there is none of"
        f" this name; if it is a text, put it in quotes: '{what}'",
    )


def _find_special(lines: list[str], line: int) -> Finding | None:
    """The mistake of a value that begins with a character that means something to YAML."""
    for number in (line, line - 1):
        found = re.search(
            r"(?:(?<=[:\-] )|(?<=[\[{,])|(?<=, )) *(?P<value>[%@`*&!|>?][^,\]}]*)", _text_of(lines, number).split(" #")[0]
        )
        if found is not None and not re.fullmatch(r"[|>][+\-0-9]*\s*", found["value"]):
            value = found["value"].strip()
            return Finding(
                number,
                found.start("value") + 1,
                f"the value {shown(value)} begins with {_SPECIAL[value[0]]}, which has a meaning of its own in YAML; put it in quotes:"
                f" '{value}'",
            )
    return None


def _describe_line(lines: list[str], line: int, col: int) -> Finding:
    """What to say if no mistake was found: the line at which reading ended, and what a line looks like."""
    number = min(line, len(lines))
    while number > 1 and not _text_of(lines, number).strip():
        number -= 1
    if number != line:
        col = 1
    return Finding(
        number,
        col,
        f"{shown(_text_of(lines, number))} cannot be read here; a line is 'key: value' or '- entry', indented by blanks like its"
        " neighbours: look at colons, quotes and brackets of this line and the one above it, and put a text with special characters"
        " in quotes",
    )


def _text_of(lines: list[str], number: int) -> str:
    return lines[number - 1] if 1 <= number <= len(lines) else ""
