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
    """Walks through a text, character by character, with the brackets that are open; rows and columns count from 0."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.findings: list[Finding] = []
        self.block: list[BlockLine] = []
        self.open: list[tuple[str, int, int]] = []  # bracket, line, column from 0
        self.colon = False  # the entry in the innermost bracket has its colon already
        self.ended = False  # the entry ended with a quote or bracket: a comma must follow
        self.word = ""  # the last word of the entry

    def run(self) -> None:
        """Walk through all lines, up to the first that cannot belong to an open bracket or quote."""
        row, long_text = 0, -1
        while row < len(self.lines):
            line = self.lines[row]
            indent = len(line) - len(line.lstrip(" "))
            if long_text >= 0 and (not line.strip() or indent > long_text):
                row += 1
                continue
            long_text = -1
            if self.open and not self._goes_on(row, indent):
                return
            begins_outside = not self.open
            end, rest = self._walk_line(row)
            if begins_outside and rest.strip():
                self.block.append(BlockLine(row + 1, indent, rest.strip()))
                if _LONG_TEXT.search(rest.strip()):
                    long_text = indent
            row = end + 1
        if self.open:
            self._note_left_open()

    def _add(self, line: int, col: int, problem: str) -> None:
        self.findings.append(Finding(line + 1, col + 1, problem))

    def _note_left_open(self) -> None:
        bracket, line, col = self.open[-1]
        self._add(
            line,
            col,
            f"the {NAMES[bracket]} {bracket} is opened in {shown(self.lines[line])} and never closed; write {CLOSES[bracket]!r} at"
            " its end",
        )

    def _goes_on(self, row: int, indent: int) -> bool:
        """Whether line ``row`` may continue what an open bracket began."""
        line = self.lines[row]
        if not line.strip() or line.lstrip().startswith("#"):
            return True
        before = next((above.split(" #")[0].rstrip() for above in reversed(self.lines[:row]) if above.strip()), "")
        opener = self.lines[self.open[0][1]]
        if KEY_LINE.match(line) and before[-1:] not in ",[{":
            if indent <= len(opener) - len(opener.lstrip(" ")):
                self._note_left_open()
            else:
                number = row - 1
                self._add(
                    number, len(before), f"a comma is missing at the end of {shown(before)}; write a comma between two entries"
                )
            return False
        return True

    # ---- one line --------------------------------------------------------------------------------------------------

    def _walk_line(self, row: int) -> tuple[int, str]:
        """(number of the line on which it ends, since a quote may go on; its text without a comment) of line ``row``."""
        line, col, at_value_start = self.lines[row], 0, True
        while col < len(line):
            char = line[col]
            if char == "#" and (col == 0 or line[col - 1] in " \t"):
                return row, line[:col]
            if char in "\"'" and at_value_start:
                row, col, line = self._skip_quote(row, col)
                if row < 0:
                    return len(self.lines), ""
                at_value_start, self.ended = False, True
                continue
            if char in "[{" and (self.open or at_value_start):
                self._check_comma(row, col)
                self.open.append((char, row, col))
                self.colon, self.ended, self.word, at_value_start = False, False, "", True
            elif char in "]}" and (self.open or (self.ended and not at_value_start)):
                self._close_bracket(row, col, char)
                at_value_start = False
            elif self.open:
                at_value_start = self._take_in(row, col, char, at_value_start)
            elif char not in " \t":
                after = line[col + 1 : col + 2]
                at_value_start = (char == ":" or (char == "-" and at_value_start)) and after in ("", " ", "\t")
                self.ended = self.ended and at_value_start is False and char in "]}"
            col += 1
        if self.open and self.word and not self.word.endswith(" "):
            self.word += " "
        return row, line

    def _take_in(self, row: int, col: int, char: str, at_value_start: bool) -> bool:
        """Take in a character between brackets. Returns whether a value may begin after it."""
        after = self.lines[row][col + 1 : col + 2]
        if char == ",":
            self.colon, self.ended, self.word = False, False, ""
            return True
        if char == ":" and after in ("", " ", "\t"):
            if self.colon:
                self._note_missing_comma(row, col)
            self.colon, self.ended, self.word = True, False, ""
            return True
        if char not in " \t":
            self._check_comma(row, col)
            at_value_start = False
        self.word += char
        return at_value_start

    def _note_missing_comma(self, row: int, col: int) -> None:
        """Note the comma that is missing before the key of a second colon in one entry."""
        words = self.word.split()
        key = words[-1] if words else ""
        before = " ".join(words[:-1]).rstrip(";")
        start = max(self.lines[row].rfind(key, 0, col), 0)
        place = f"between {before!r} and {key!r}" if before else f"before {key!r}"
        self._add(row, start, f"a comma is missing {place}; write {f'{before}, {key}: ...'.lstrip(', ')!r}")

    def _check_comma(self, row: int, col: int) -> None:
        """Note a mistake if something other than a comma follows a closed quote or bracket."""
        if self.ended and self.open:
            read = self.lines[row][:col].rstrip()
            self._add(
                row, col, f"a comma is missing before {shown(self.lines[row][col:])}; write a comma after {shown(read[-20:])}"
            )
            self.ended = False

    def _close_bracket(self, row: int, col: int, char: str) -> None:
        """Take in a closing bracket; note a mistake if another one is open, or none."""
        if not self.open:
            self._add(
                row,
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

    def _skip_quote(self, row: int, col: int) -> tuple[int, int, str]:
        """(line, column, text of that line) just after the closing quote; line -1 if the quote is not closed where it should
        be."""
        quote, first, begun = self.lines[row][col], row, col
        col += 1
        while row < len(self.lines):
            line = self.lines[row]
            while col < len(line):
                if quote == '"' and line[col] == "\\":
                    col += 2
                    continue
                if line[col] == quote:
                    if quote == "'" and line[col + 1 : col + 2] == quote:
                        col += 2
                        continue
                    return row, col + 1, line
                col += 1
            row, col = row + 1, 0
            if row < len(self.lines) and KEY_LINE.match(self.lines[row]):
                break
        found = shown(self.lines[first][begun:])
        self._add(first, begun, f"the quote {quote} of {found} is not closed in its line; write {quote} at the end of the text")
        self.open.clear()
        return -1, 0, ""


def _opener(char: str) -> str:
    return next(opener for opener, closer in CLOSES.items() if closer == char)
