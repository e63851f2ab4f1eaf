"""Durations and sizes as people write them: ``1s``, ``15min``, ``1h30min``, ``500MB``.

Units of time: us, ms, s, min (also m), h, d, w, mo (30 days), y (365 days). ``m`` means minutes, never months.
"""

from __future__ import annotations

import re

from sensorlogd.notation.microseconds import DAY_US, HOUR_US, MINUTE_US, SECOND_US

_UNITS_US = {
    "us": 1,
    "ms": 1_000,
    "s": SECOND_US,
    "m": MINUTE_US,
    "min": MINUTE_US,
    "h": HOUR_US,
    "d": DAY_US,
    "w": 7 * DAY_US,
    "mo": 30 * DAY_US,
    "y": 365 * DAY_US,
}
_WORDS = {"sec": "s", "min": "min", "hou": "h", "day": "d", "wee": "w", "mon": "mo", "yea": "y", "mil": "ms", "mic": "us"}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|min|mo|m|h|d|w|y)", re.ASCII)
_MAX_US = 200 * 365 * DAY_US

_SIZES = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", re.ASCII)


def parse_duration(text: str) -> int:
    """Microseconds in a duration such as ``250ms``, ``1h30min`` or ``0s``.

    Raises ValueError for an empty text, a missing or unknown unit, a sign, or more than 200 years.
    """
    stripped = text.strip().lower()
    position, total = 0, 0.0
    while position < len(stripped):
        match = _PART.match(stripped, position)
        if match is None:
            break
        total += float(match[1]) * _UNITS_US[match[2]]
        position = match.end()
        while position < len(stripped) and stripped[position] == " ":
            position += 1
    if not stripped or position < len(stripped):
        raise ValueError(
            f"{text!r} is not a duration; write a number and a unit: us, ms, s, min, h, d, w, mo, y (e.g. {_example(stripped)})"
        )
    if total > _MAX_US:
        raise ValueError(f"{text!r} is longer than 200 years")
    return round(total)


def _example(text: str) -> str:
    """An example that is near to what was written."""
    found = re.fullmatch(r"[-+]?\s*(\d+(?:[.,]\d+)?)\s*([a-z]*)\.?", text, re.ASCII)
    if found is None:
        return "1s, 15min"
    number, word = found[1].replace(",", "."), found[2]
    if not word:
        return f"{number}s, {number}min"
    unit = word if word in _UNITS_US else _WORDS.get(word[:3])
    return "1s, 15min" if unit is None else f"{number}{unit}"


def format_duration(us: int) -> str:
    """The shortest exact text for a duration in microseconds: ``90_000_000`` gives ``1min30s``."""
    if us == 0:
        return "0s"
    if us < 0:
        return "-" + format_duration(-us)
    parts = []
    for unit in ("d", "h", "min", "s", "ms", "us"):
        count, us = divmod(us, _UNITS_US[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_size(text: str) -> int:
    """Bytes in a size such as ``500MB`` (10^6) or ``64MiB`` (2^20). Raises ValueError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or match[2] not in _SIZES:
        raise ValueError(f"{text!r} is not a size; write a number and a unit: B, kB, MB, GB, TB, KiB, MiB, GiB (e.g. 500MB)")
    return round(float(match[1]) * _SIZES[match[2]])


def format_size(count: float) -> str:
    """Bytes for people, three digits: ``1.25 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
