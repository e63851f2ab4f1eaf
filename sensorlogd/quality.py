"""The quality of a reading: a QARTOD flag in the low four bits, the tests that raised it above them.

Flags and test names follow the QARTOD manuals of the U.S. Integrated Ocean Observing System
("Manual for Real-Time Quality Control", flag scheme of UNESCO IOC 54:V3). In the database a quality is one
integer; people see words: ``good``, ``suspect:rate_of_change``, ``fail:gross_range``.
"""

from __future__ import annotations

import functools
from enum import IntEnum, IntFlag

FLAG_MASK = 0xF


class Flag(IntEnum):
    """QARTOD primary flag of a reading."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Test(IntFlag):
    """The reason for a flag. Values are stored: never renumber, only append."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    GROSS_RANGE = 1 << 4
    RATE_OF_CHANGE = 1 << 5
    FLAT_LINE = 1 << 6
    CLOCK_UNSYNCED = 1 << 7
    OPERATOR = 1 << 8
    BAD_TIME = 1 << 9  # the device's time could not be believed, so the reading has that of its arrival; goes with any flag
    ROUNDED = 1 << 10  # a whole number that no double holds exactly
    SPIKE = 1 << 11
    CALIBRATION = 1 << 12  # beyond the table that it was calibrated by
    INPUT = 1 << 13  # of a computed reading: an input failed, is missing, or had no reading within its heartbeat
    FORMULA = 1 << 14  # the formula has no value there: a division by 0, the logarithm of a negative number


# How bad a flag is; the worst of several tests wins (QARTOD "roll-up" of test flags).
_SEVERITY = {Flag.GOOD: 0, Flag.NOT_EVALUATED: 1, Flag.SUSPECT: 2, Flag.FAIL: 3, Flag.MISSING: 4}

# The flags as bare integers: comparing with a member of an enumeration costs more, and so does making one.
GOOD = int(Flag.GOOD)
NOT_EVALUATED = int(Flag.NOT_EVALUATED)
SUSPECT = int(Flag.SUSPECT)
FAIL = int(Flag.FAIL)
MISSING = int(Flag.MISSING)

# Readings with these flags are counted, and what they say is used nowhere. Where there are many, ask
# ``quality & FLAG_MASK in UNUSABLE``; a call for each would cost more than the question.
UNUSABLE = (FAIL, MISSING)


def flag_of(quality: int) -> int:
    """The bare QARTOD flag (1, 2, 3, 4 or 9) of a stored quality."""
    return quality & FLAG_MASK


def combine(a: int, b: int) -> int:
    """The quality that carries the worse flag of both and the tests of both."""
    fa, fb = Flag(a & FLAG_MASK), Flag(b & FLAG_MASK)
    worse = fa if _SEVERITY[fa] >= _SEVERITY[fb] else fb
    return int(worse) | ((a | b) & ~FLAG_MASK)


@functools.lru_cache(4096)  # few different ones are in use, and every row of an answer needs one
def describe(quality: int) -> str:
    """Words for a stored quality, e.g. ``good`` or ``fail:gross_range+flat_line``.

    An unknown flag or test (written by a newer release) is shown by its number, never hidden.
    """
    low = quality & FLAG_MASK
    try:
        word = Flag(low).name.lower()
    except ValueError:
        word = f"flag{low}"
    high = quality & ~FLAG_MASK
    tests = [str(test.name).lower() for test in Test if high & test]
    rest = high & ~sum(int(test) for test in Test)
    if rest > 0:
        tests.append(f"test{rest:#x}")
    return f"{word}:{'+'.join(tests)}" if tests else word


def parse(words: str) -> int:
    """The stored quality for words that ``describe`` prints.

    Raises ValueError naming the allowed words.
    """
    head, _, tail = words.strip().lower().partition(":")
    try:
        quality = int(Flag[head.upper()])
    except KeyError:
        allowed = ", ".join(flag.name.lower() for flag in Flag)
        raise ValueError(f"unknown quality {head!r}; allowed: {allowed}") from None
    for name in filter(None, tail.split("+")):
        try:
            quality |= int(Test[name.upper()])
        except KeyError:
            allowed = ", ".join(str(test.name).lower() for test in Test)
            raise ValueError(f"unknown quality test {name!r}; allowed: {allowed}") from None
    return quality
