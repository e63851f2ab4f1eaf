"""Lays out a table in text, no wider than it may be. Nothing is cut: what does not fit beside goes below."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sensorlogd.cli.appearance import cells, painted, wrapped

GAP = "  "
INDENT = "    "
NARROW_TEXT = 24  # a column of sentences is not folded into less; it goes below instead


@dataclass(frozen=True, slots=True)
class Column:
    """A column. ``align``: left, right, or point: numbers with their decimal points aligned.

    ``close``: one blank before it instead of two (a unit after its number). ``spare``: left out where the table is too wide,
    the lowest first. ``folds``: sentences, which may take several lines.
    """

    name: str
    head: str
    align: str = "left"
    close: bool = False
    spare: int = 0
    folds: bool = False


Row = Mapping[str, str]
Paint = Callable[..., str]  # (text, look) -> text


def lines(columns: Sequence[Column], rows: Sequence[Row], room: int, looks: Sequence[Row] = ()) -> Iterator[str]:
    """The lines of a table. ``room``: columns of the terminal, 0: no limit. ``looks``: for each row, column -> colour."""
    head, found = laid(columns, rows, room, looks)
    yield head
    for row in found:
        yield from row


def laid(
    columns: Sequence[Column], rows: Sequence[Row], room: int, looks: Sequence[Row] = (), paint: Paint = painted
) -> tuple[str, list[list[str]]]:
    """(head, the lines of each row)."""
    shown = _beside(columns, rows, room)
    beside = {column.name for column in shown}
    below = [column for column in columns if column.name not in beside and not column.spare]
    placed = {column.name: _aligned(column, [row[column.name] for row in rows]) for column in shown}
    widths = {column.name: max([cells(column.head), *map(cells, placed[column.name])]) for column in shown}
    fold = _fold(shown, widths, room)
    head = "".join(_padded(column, column.head, widths, n == 0) for n, column in enumerate(shown))
    found = []
    for index, row in enumerate(rows):
        look = looks[index] if looks else {}
        texts = {column.name: placed[column.name][index] for column in shown}
        found.append([*_row_lines(shown, texts, widths, look, fold, paint), *_lines_below(below, row, look, room, paint)])
    return paint(head.rstrip(), "bold"), found


def _beside(columns: Sequence[Column], rows: Sequence[Row], room: int) -> list[Column]:
    """The columns that stand beside each other: fewer spaces first, then what can be spared, then those at the end go below."""
    shown = list(columns)
    if not room:
        return shown
    compact = [replace(column, align="right") if column.align == "point" else column for column in shown]
    spared = sorted({column.spare for column in columns if column.spare})
    for level in [0, *spared]:
        for some in (shown, compact):
            left = [column for column in some if not 0 < column.spare <= level]
            if _width_needed(left, rows) <= room:
                return left
    left = [column for column in compact if not column.spare]
    while len(left) > 1 and _width_needed(left, rows) > room:
        left.pop()
    return left


def fits(columns: Sequence[Column], rows: Sequence[Row], room: int) -> bool:
    """Whether all columns fit beside each other, except those that can be spared."""
    return not room or len(_beside(columns, rows, room)) >= sum(not column.spare for column in columns)


def _width_needed(columns: Sequence[Column], rows: Sequence[Row]) -> int:
    """The width of the columns beside each other; sentences count as no more than NARROW_TEXT."""
    total = 0
    for n, column in enumerate(columns):
        widest = max([cells(column.head), *map(cells, _aligned(column, [row[column.name] for row in rows]))])
        total += (min(widest, NARROW_TEXT) if column.folds else widest) + (0 if not n else 1 if column.close else len(GAP))
    return total


def _aligned(column: Column, texts: Sequence[str]) -> list[str]:
    """The texts aligned with each other, without blanks that pad the whole column."""
    if column.align != "point":
        return list(texts)
    fractions = [len(text) - len(_whole(text)) for text in texts]
    most = max(fractions, default=0)
    return [text + " " * (most - fraction) if text else text for text, fraction in zip(texts, fractions, strict=True)]


def _whole(text: str) -> str:
    """The part before the decimal point: ``101325`` of ``101325.25``, ``1`` of ``1e+22``; all of a text that is not a number."""
    if not text[-1:].isalnum():
        return text
    return text.partition("e")[0].partition(".")[0]


def _padded(column: Column, text: str, widths: Mapping[str, int], first: bool) -> str:
    gap = "" if first else " " if column.close else GAP
    padding = " " * (widths[column.name] - cells(text))
    return gap + (text + padding if column.align == "left" else padding + text)


def _fold(shown: Sequence[Column], widths: dict[str, int], room: int) -> int:
    """The width of the last column, if it has sentences that do not fit beside the others and are folded; else 0."""
    if not room or not shown or not shown[-1].folds:
        return 0
    before = sum(widths[column.name] + (1 if column.close else len(GAP)) for column in shown[:-1])
    return max(room - before, 1) if before + widths[shown[-1].name] > room else 0


def _row_lines(
    shown: Sequence[Column], texts: Row, widths: Mapping[str, int], look: Row, fold: int, paint: Paint
) -> Iterator[str]:
    """The lines of a row: one, or more if the last column is folded to the width ``fold``."""
    row_text = ""
    for n, column in enumerate(shown):
        text = texts[column.name]
        if fold and n == len(shown) - 1:
            before = sum(widths[column.name] + (1 if column.close else len(GAP)) for column in shown[:-1])
            first, *more = wrapped(text, fold)
            yield (row_text + GAP + paint(first, look.get(column.name, ""))).rstrip()
            yield from (" " * before + paint(line, look.get(column.name, "")) for line in more)
            return
        cell = _padded(column, text, widths, n == 0)
        blank = len(cell) - len(cell.lstrip(" ")) if text.strip() else 0
        row_text += cell[:blank] + paint(cell[blank:], look.get(column.name, ""))
    yield row_text.rstrip()


def _lines_below(below: Sequence[Column], row: Row, look: Row, room: int, paint: Paint) -> Iterator[str]:
    """The columns that do not fit beside, as ``name value`` below the row; sentences have lines of their own."""
    line: list[tuple[str, str]] = []
    for column in below:
        if not row[column.name]:
            continue
        text, how = f"{column.head} {row[column.name]}".strip(), look.get(column.name, "")
        if line and (column.folds or cells(INDENT + GAP.join([*(cell for cell, _ in line), text])) > room):
            yield _line_below(line, paint)
            line = []
        if cells(INDENT + text) <= room:
            line.append((text, how))
        else:
            yield from (INDENT + paint(part, how) for part in wrapped(text, room - len(INDENT)))
    if line:
        yield _line_below(line, paint)


def _line_below(line: Sequence[tuple[str, str]], paint: Paint) -> str:
    return INDENT + GAP.join(paint(text, how) for text, how in line)
