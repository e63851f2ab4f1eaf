"""How might these lines of text be read? Each guess is tried on the very lines before it is given: its keys load, and every
channel it names gets a number from them. Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.sentinels import NO_VALUE

LOOKS_LIKE_TEXT = 0.97
ENOUGH_LINES = 6
MAX_CHANNELS = 24
_LATIN = b"\xb0\xb2\xb3\xb5"  # ° ² ³ µ of devices that know one byte a character
_NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+(?:,\d+)?\s*")
# A number, and not the beginning of a time, a date or a longer number.
_PAIR = re.compile(r"([A-Za-z_][\w.-]*)\s*([=:])\s*(?!0[xX][\da-fA-F])([+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d+)?)(?![\d:]|[.,/-]\d)")
_WITH_COMMA = re.compile(r"[=:]\s*[+-]?\d+,\d")
# Hexadecimal with its mark; a sign counts after a letter, too (A+21.5B-3.2), and not after a digit (2026-11-26).
_FREE_NUMBER = re.compile(r"(?<![\w.])0[xX][\da-fA-F]{1,16}\b|(?:(?<![\w.])|(?<=[A-Za-z])(?=[+-]))[+-]?\d+(?:\.\d+)?")
_SIGN_APART = re.compile(r"(.*)[+-]\s+", re.DOTALL)  # "+  21.5", as scales write
_SHOWN_HEX = r"0[xX][\da-fA-F]{1,16}"
_SHOWN_NUMBER = r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_YAML_WORDS = {"yes", "no", "on", "off", "true", "false", "null", "none", "y", "n"}


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess at the format. ``keys``: the configuration of a sensor without its port."""

    confidence: float
    title: str
    evidence: str
    keys: str


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines that were heard. ``texts``: the complete ones that are not empty. ``ends``: the keys for line end and
    encoding."""

    texts: list[str]
    encoding: str
    ends: str

    def bytes(self) -> bytes:
        """The lines as a device would send them, beginning in the middle of a line."""
        end = "\r" if "terminator" in self.ends else "\n"
        return "".join(f"{text}{end}" for text in ["", *self.texts]).encode(self.encoding, "replace")


def is_text(data: bytes) -> bool:
    """Whether nearly all of the data is printable."""
    good = sum(32 <= byte < 127 or byte in b"\t\r\n\x02\x03" or byte in _LATIN for byte in data)
    if good >= LOOKS_LIKE_TEXT * len(data):
        return bool(data)
    text = data.decode("utf-8", "replace")
    controls = sum(not character.isprintable() and character not in "\t\r\n\x02\x03" for character in text)
    strange = controls + text.strip("\ufffd").count("\ufffd")
    return bool(text.strip("\ufffd")) and strange <= (1 - LOOKS_LIKE_TEXT) * len(text)


def lines_heard(data: bytes) -> int:
    """How many complete lines the data holds."""
    return len([line for line in re.split(rb"[\r\n]+", data)[:-1] if line.strip()])


def guess(data: bytes) -> Guess | None:
    """The first guess that reads its own lines; None if there is none."""
    if not is_text(data):
        return None
    lines = _split_lines(data)
    if len(lines.texts) < 2:
        return None
    for made in (_guess_json, _guess_pairs, _guess_records, _guess_columns, _guess_numbers):
        for seen in made(lines):
            keys = seen.keys + lines.ends
            read = read_back(keys, lines.bytes())
            if read and all(read.values()):
                return Guess(seen.confidence, seen.title, seen.evidence, keys)
    return None


def read_back(keys: str, data: bytes) -> dict[str, list[float]]:
    """The finite numbers of each channel that these keys read from ``data``; {} if the keys do not load."""
    body = "\n".join(f"    {line}" for line in ["port: /dev/null", *keys.splitlines()])
    try:
        options = load_text(f"sensors:\n  device:\n{body}\n", Path("/x.yaml"), options_for).sensors["device"]
    except ConfigErrors:
        return {}
    decoder = decoder_of(options, lambda *_: None)
    batch = decoder.feed(data, 0) if decoder is not None else None
    columns = batch.values if batch is not None else {}
    return {
        name: [value for value in columns.get(channel.source or name, ()) if value is not None and math.isfinite(value)]
        for name, channel in options.channel_options().items()
    }


def _split_lines(data: bytes) -> _Lines:
    """The complete lines of the data, without a first one that looks cut."""
    text, encoding = data.decode("utf-8", "replace"), "utf-8"
    if "\ufffd" in text and any(byte in data for byte in _LATIN):
        text, encoding = data.decode("latin-1"), "latin-1"
    ends = '\nterminator: "\\r"' if "\r" in text and "\n" not in text else ""
    pieces = text.replace("\r", "\n").split("\n")
    whole = [piece for piece in pieces[:-1] if piece.strip()]
    if whole and pieces[0] == whole[0] and _first_is_cut(whole):
        whole = whole[1:]
    return _Lines(whole, encoding, ends + ("\nencoding: latin-1" if encoding == "latin-1" else ""))


def _first_is_cut(lines: list[str]) -> bool:
    """Whether the first line may be the rest of a line that began before listening did. If there are few lines, it must look cut."""
    shape = [re.sub(r"[\d.+-]+", "0", line) for line in lines[:2]]
    return len(lines) > 3 or len(shape) < 2 or shape[0] != shape[1]


def _yaml_string(name: str) -> str:
    """The text in a form that YAML reads as a string."""
    return name if _PLAIN.fullmatch(name) and name.lower() not in _YAML_WORDS else json.dumps(name)


def _channel_entries(sources: list[str]) -> str:
    """The entries of ``channels:`` in one line. A source whose name is not allowed for a channel gets another name."""
    entries: dict[str, str] = {}
    for source in sources[:MAX_CHANNELS]:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", source)[:64]
        entries.setdefault(name, "{}" if name == source else f"{{source: {json.dumps(source)}}}")
    return ", ".join(f"{_yaml_string(name)}: {entry}" for name, entry in entries.items())


# ---- the kinds ---------------------------------------------------------------------------------------------------------


def _guess_json(lines: _Lines) -> Iterator[Guess]:
    """One JSON object in each line, or in nearly all of them; its numbers are the channels."""
    fields: Counter[str] = Counter()
    good = 0
    for line in lines.texts:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            good += 1
            fields.update(_number_paths(data))
    if good >= 0.8 * len(lines.texts) and fields:
        evidence = f"{good} of {len(lines.texts)} lines are JSON objects"
        keys = f"driver: serial\nformat: {{type: json}}\nchannels: {{{_channel_entries(list(fields))}}}"
        yield Guess(0.9 * good / len(lines.texts), "JSON lines", evidence, keys)


def _number_paths(data: dict[str, Any], path: str = "", depth: int = 4) -> Iterator[str]:
    """The paths (``a.b``) of the numbers and truth values in a JSON object, no deeper than ``depth`` objects inside it."""
    for key, value in data.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, (int, float)):
            yield here
        elif isinstance(value, dict) and depth:
            yield from _number_paths(value, here, depth - 1)


def _guess_pairs(lines: _Lines) -> Iterator[Guess]:
    """Keys with values: split at a separator if that reads all of them, otherwise found with a pattern."""
    pairs_by_line = [pairs for line in lines.texts if (pairs := _PAIR.findall(line))]
    if len(pairs_by_line) < 0.8 * len(lines.texts):
        return
    every = [pair for pairs in pairs_by_line for pair in pairs]
    often = Counter(key for key, _, _ in every)
    keys = [key for key, n in often.items() if n >= max(max(often.values()) // 2, 1)][:MAX_CHANNELS]
    comma = any(map(_WITH_COMMA.search, lines.texts))
    expected = {key: sorted(float(value.replace(",", ".")) for name, _, value in every if name == key) for key in keys}
    equals = Counter(sign for _, sign, _ in every).most_common(1)[0][0]
    evidence = f"{len(pairs_by_line)} of {len(lines.texts)} lines hold {', '.join(keys[:6])}"
    for text in _pair_formats(keys, equals, comma=comma):
        made = f"driver: serial\n{text}"
        read = list(read_back(made + lines.ends, lines.bytes()).values())
        if len(read) == len(keys) and [sorted(values) for values in read] == list(expected.values()):
            yield Guess(0.85 * len(pairs_by_line) / len(lines.texts), "lines of key and value", evidence, made)
            return


def _pair_formats(keys: list[str], equals: str, *, comma: bool) -> Iterator[str]:
    """Formats that may read lines of these keys, the simple ones first: each separator, then patterns in the order of the keys
    and in any order."""
    extra, number = (", decimal_comma: true", _SHOWN_NUMBER.replace(r"\.", ",")) if comma else ("", _SHOWN_NUMBER)
    channels = f"channels: {{{_channel_entries(keys)}}}"
    for separator in (";", ",", "whitespace", "|", "&"):
        if not (comma and separator == ","):
            yield f'format: {{type: keyvalue, separator: "{separator}", equals: "{equals}"{extra}}}\n{channels}'
    groups = {key: re.sub(r"\W", "_", key) for key in keys}
    found = [rf"\b{re.escape(key)}\s*{equals}\s*(?P<{group}>{number})" for key, group in groups.items()]
    for joined in (".*?".join(found), "|".join(found)):
        yield f"format: {{type: regex, pattern: '{joined}'{extra}}}"


def _guess_records(lines: _Lines) -> Iterator[Guess]:
    """One quantity in each line, its name first. Several such lines are no columns."""
    for equals in ("\t", " ", ",", ";", "|"):
        pairs = [line.strip().partition(equals)[::2] for line in lines.texts]
        numbers: dict[str, list[bool]] = {}
        for key, value in pairs:
            numbers.setdefault(key.strip(), []).append(_NUMBER.fullmatch(value) is not None)
        keys = [key for key, good in numbers.items() if key[:1].isalpha() and all(good) and len(good) > 1]
        repeated = sum(len(good) for key, good in numbers.items() if len(good) > 1)
        if len(keys) < 2 or len(keys) > MAX_CHANNELS or repeated < 0.8 * len(pairs):
            continue
        other = next(mark for mark in (";", "|", "&") if mark != equals)  # stands in none of these lines
        if any(other in line for line in lines.texts):
            continue
        shown = equals.replace("\t", "\\t")
        form = f'format: {{type: keyvalue, separator: "{other}", equals: "{shown}"}}\nchannels: {{{_channel_entries(keys)}}}'
        evidence = f"{len(lines.texts)} lines, each a name and a number: {', '.join(keys[:6])}"
        yield Guess(0.75, "lines of key and value", evidence, f"driver: serial\n{form}")
        return


def _guess_columns(lines: _Lines) -> Iterator[Guess]:
    """Columns of numbers, by each separator and with either decimal sign, best first; ``null`` for columns of something else."""
    ranked: list[tuple[float, str, bool, int, list[bool]]] = []
    for separator in (",", ";", "\t", "|", "whitespace"):
        rows = [line.split(None if separator == "whitespace" else separator) for line in lines.texts]
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if width < 2 and separator != "whitespace":
            continue
        usual = [row for row in rows if len(row) == width]
        for comma in (False, True) if separator != "," else (False,):
            numeric = [_is_numeric([row[column] for row in usual], comma=comma) for column in range(width)]
            share = count / len(rows) * (sum(numeric) / width)
            if any(numeric):
                ranked.append((share, separator, comma, width, numeric))
    for share, separator, comma, width, numeric in sorted(ranked, key=lambda rank: -rank[0]):
        if share < 0.4:
            return
        names = ", ".join(f"value{column}" if is_number else "null" for column, is_number in enumerate(numeric, 1))
        extra = "" if separator == "," else f', separator: "{separator}"'.replace("\t", "\\t")
        extra += ", decimal_comma: true" if comma else ""
        yield Guess(
            (0.5 if width > 1 else 0.2) + 0.35 * share,
            "columns of numbers",
            f"{len(lines.texts)} lines of {width} fields, {sum(numeric)} of them numbers",
            f"driver: serial\nformat: {{type: csv, fields: [{names}]{extra}}}  # name the fields",
        )


def _is_numeric(cells: list[str], *, comma: bool) -> bool:
    """Whether all values are numbers or stand for missing ones, and at least one is a number."""
    number = _COMMA_NUMBER if comma else _NUMBER
    good = [number.fullmatch(cell) is not None for cell in cells]
    return any(good) and all(is_good or cell.strip().lower() in NO_VALUE for is_good, cell in zip(good, cells, strict=True))


def _guess_numbers(lines: _Lines) -> Iterator[Guess]:
    """Numbers among words: those at the same places in each line, or else the first number of each line."""
    counts = Counter(len(_FREE_NUMBER.findall(line)) for line in lines.texts)
    count, often = counts.most_common(1)[0]
    evidence = f"{len(lines.texts)} lines, e.g. {lines.texts[-1][:60]!r}"
    if 0 < count <= MAX_CHANNELS and often >= 0.8 * len(lines.texts):
        usual = next(line for line in lines.texts if len(_FREE_NUMBER.findall(line)) == count)
        keys = _keys_by_places(_FREE_NUMBER.split(usual)[:-1], _FREE_NUMBER.findall(usual))
        read = read_back(keys + lines.ends, lines.bytes())
        if all(len(values) >= 0.8 * len(lines.texts) for values in read.values()):
            yield Guess(0.55, "lines of text", evidence, keys)
    if count:
        pattern = rf"(?:^|[^\w.+-])(?P<value>{_SHOWN_NUMBER})"
        keys = f"driver: serial\nformat: {{type: regex, pattern: '{pattern}'}}  # name each number by a group"
        yield Guess(0.35, "lines of text", evidence, keys)


def _keys_by_places(between: list[str], found: list[str]) -> str:
    """The keys for lines in which the texts ``between`` stand before and between the numbers."""
    pattern, special = "", []
    for index, (text, number) in enumerate(zip(between, found, strict=True), 1):
        apart = _SIGN_APART.fullmatch(text)
        is_hex = number[:2].lower() == "0x"
        pattern += _pattern_of_text(apart[1] if apart else text)
        pattern += rf"(?P<sign{index}>[+-])\s+" if apart else ""
        pattern += f"(?P<value{index}>{_SHOWN_HEX if is_hex else _SHOWN_NUMBER})"
        if is_hex:
            special.append(f"value{index}: {{hex: true}}")
        elif apart:
            special.append(f'value{index}: {{negative_if: [sign{index}, "-"]}}')
    pattern = pattern.replace("'", "''")
    numbers = f", numbers: {{{', '.join(special)}}}" if special else ""
    keys = f"driver: serial\nformat: {{type: regex, pattern: '^{pattern}'{numbers}}}  # name each number by its group"
    if "(?P<sign" in pattern:  # signs are no channels
        keys += f"\nchannels: {{{', '.join(f'value{index}: {{}}' for index in range(1, len(found) + 1))}}}"
    return keys


def _pattern_of_text(text: str) -> str:
    """A pattern for this text, in which any blanks stand for any others."""
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))
