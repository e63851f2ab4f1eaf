"""Finds quotes and brackets of a YAML text that are left open, closed twice, or lack a comma. Works on text that is not valid
YAML."""

from __future__ import annotations

import re

from sensorlogd.config.text.finding import BlockLine, Finding, shown

CLOSES = {"[": "]", "{": "}"}
NAMES = {"[": "bracket", "{": "brace", "]": "bracket", "}": "brace", '"': "quote", "'": "quote"}
KEY_LINE = re.compile(r"\s*(- +)*[\w.*-]+ *:(\s|$)")
_LONG_TEXT = re.compile(r"(^|[:-] +)[|>][+\-0-9]*$")


def walk(text: str) -> tuple[list[Finding], list[BlockLine]]:
    """(mistakes with quotes and brackets, the lines that begin outside of them), both in the order of the file."""
    walker = _Walker(text.splitlines())
    walker.run()
    return walker.findings, walker.block


class _Walker:
    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.findings: list[Finding] = []
        self.block: list[BlockLine] = []
        self.open: list[tuple[str, int, int]] = []  # bracket, line, column from 0
        self.colon = False  # the entry in the innermost bracket has its colon already
        self.ended = False  # the entry ended with a quote or bracket: a comma must follow
        self.word = ""  # the last word of the entry

    def run(self) -> None:
        at, long_text = 0, -1
        while at < len(self.lines):
            line = self.lines[at]
            indent = len(line) - len(line.lstrip(" "))
            if long_text >= 0 and (not line.strip() or indent > long_text):
                at += 1
                continue
            long_text = -1
            if self.open and not self._goes_on(at, indent):
                return
            begins_outside = not self.open
            end, rest = self._line(at)
            if begins_outside and rest.strip():
                self.block.append(BlockLine(at + 1, indent, rest.strip()))
                if _LONG_TEXT.search(rest.strip()):
                    long_text = indent
            at = end + 1
        if self.open:
            self._left_open()

    def _add(self, line: int, col: int, problem: str) -> None:
        self.findings.append(Finding(line + 1, col + 1, problem))

    def _left_open(self) -> None:
        bracket, line, col = self.open[-1]
        self._add(
            line,
            col,
            f"the {NAMES[bracket]} {bracket} is opened in {shown(self.lines[line])} and never closed; write {CLOSES[bracket]!r} at"
            " its end",
        )

    def _goes_on(self, at: int, indent: int) -> bool:
        """Whether line ``at`` may continue what an open bracket began."""
        line = self.lines[at]
        if not line.strip() or line.lstrip().startswith("#"):
            return True
        before = next((above.split(" #")[0].rstrip() for above in reversed(self.lines[:at]) if above.strip()), "")
        opener = self.lines[self.open[0][1]]
        if KEY_LINE.match(line) and before[-1:] not in ",[{":
            if indent <= len(opener) - len(opener.lstrip(" ")):
                self._left_open()
            else:
                number = at - 1
                self._add(
                    number, len(before), f"a comma is missing at the end of {shown(before)}; write a comma between two entries"
                )
            return False
        return True

    # ---- one line --------------------------------------------------------------------------------------------------

    def _line(self, at: int) -> tuple[int, str]:
        """(number of the line on which it ends, since a quote may go on; its text without a comment) of line ``at``."""
        line, col, fresh = self.lines[at], 0, True
        while col < len(line):
            char = line[col]
            if char == "#" and (col == 0 or line[col - 1] in " \t"):
                return at, line[:col]
            if char in "\"'" and fresh:
                at, col, line = self._quote(at, col)
                if at < 0:
                    return len(self.lines), ""
                fresh, self.ended = False, True
                continue
            if char in "[{" and (self.open or fresh):
                self._separated(at, col)
                self.open.append((char, at, col))
                self.colon, self.ended, self.word, fresh = False, False, "", True
            elif char in "]}" and (self.open or (self.ended and not fresh)):
                self._close(at, col, char)
                fresh = False
            elif self.open:
                fresh = self._inside(at, col, char, fresh)
            elif char not in " \t":
                after = line[col + 1 : col + 2]
                fresh = (char == ":" or (char == "-" and fresh)) and after in ("", " ", "\t")
                self.ended = self.ended and fresh is False and char in "]}"
            col += 1
        if self.open and self.word and not self.word.endswith(" "):
            self.word += " "
        return at, line

    def _inside(self, at: int, col: int, char: str, fresh: bool) -> bool:
        """Take in a character between brackets. Returns whether a value may begin after it."""
        after = self.lines[at][col + 1 : col + 2]
        if char == ",":
            self.colon, self.ended, self.word = False, False, ""
            return True
        if char == ":" and after in ("", " ", "\t"):
            if self.colon:
                self._second_colon(at, col)
            self.colon, self.ended, self.word = True, False, ""
            return True
        if char not in " \t":
            self._separated(at, col)
            fresh = False
        self.word += char
        return fresh

    def _second_colon(self, at: int, col: int) -> None:
        words = self.word.split()
        key = words[-1] if words else ""
        before = " ".join(words[:-1]).rstrip(";")
        start = max(self.lines[at].rfind(key, 0, col), 0)
        behind = f"between {before!r} and {key!r}" if before else f"before {key!r}"
        self._add(at, start, f"a comma is missing {behind}; write {f'{before}, {key}: ...'.lstrip(', ')!r}")

    def _separated(self, at: int, col: int) -> None:
        """Note a mistake if something other than a comma follows a closed quote or bracket."""
        if self.ended and self.open:
            behind = self.lines[at][:col].rstrip()
            self._add(
                at, col, f"a comma is missing before {shown(self.lines[at][col:])}; write a comma after {shown(behind[-20:])}"
            )
            self.ended = False

    def _close(self, at: int, col: int, char: str) -> None:
        if not self.open:
            self._add(
                at,
                col,
                f"{char!r} closes a {NAMES[char]} that is not open; take it out, or open it before with {_opener(char)!r}",
            )
            self.ended = False
            return
        bracket, line, start = self.open[-1]
        if CLOSES[bracket] != char:
            self._add(
                line,
                start,
                f"the {NAMES[bracket]} {bracket} is opened here and not closed before {char!r}; write {CLOSES[bracket]!r} before it",
            )
        while self.open and CLOSES[self.open.pop()[0]] != char:
            pass
        self.colon = bool(self.open) and self.open[-1][0] == "{"
        self.ended, self.word = True, ""

    def _quote(self, at: int, col: int) -> tuple[int, int, str]:
        """(line, column, text of that line) just behind the closing quote; line -1 if the quote is not closed where it should
        be."""
        quote, first, begun = self.lines[at][col], at, col
        col += 1
        while at < len(self.lines):
            line = self.lines[at]
            while col < len(line):
                if quote == '"' and line[col] == "\\":
                    col += 2
                    continue
                if line[col] == quote:
                    if quote == "'" and line[col + 1 : col + 2] == quote:
                        col += 2
                        continue
                    return at, col + 1, line
                col += 1
            at, col = at + 1, 0
            if at < len(self.lines) and KEY_LINE.match(self.lines[at]):
                break
        found = shown(self.lines[first][begun:])
        self._add(first, begun, f"the quote {quote} of {found} is not closed in its line; write {quote} at the end of the text")
        self.open.clear()
        return -1, 0, ""


def _opener(char: str) -> str:
    return next(opener for opener, closer in CLOSES.items() if closer == char)
