"""From the text of a field to its number. Pure.

In this order: a text that stands for a number (``words``, the channel's ``map``), "no value" (see ``sentinels``), the unit
after the number, the number itself. So a sentinel is recognised before any scale, whatever the field is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from sensorlogd.batch import EXACT, whole
from sensorlogd.calibration.scaling import divisor
from sensorlogd.drivers.sentinels import NUMBER, Texts, integer
from sensorlogd.drivers.serial.options import LineFormat, NumberOptions
from sensorlogd.notation.symbols import micro, point

_number = NUMBER.fullmatch
_HEX = re.compile(r"(?:0[xX])?[0-9a-fA-F]{1,16}")

Fields = Mapping[str, str]
Read = Callable[[str, Fields], float]


class BadLine(ValueError):
    """The line does not fit the format; the text says why."""


class Numbers:
    """Makes numbers of the texts of fields. ``maps``: field -> text -> number, of the channels."""

    def __init__(self, form: LineFormat, maps: Mapping[str, Mapping[str, float]]) -> None:
        self.missing = Texts(form.missing, form.missing_only, decimal_comma=form.decimal_comma)
        self.decimal_comma = form.decimal_comma
        self._words = form.words
        self._maps = {field: {micro(text): number for text, number in texts.items()} for field, texts in maps.items()}
        self._special = dict(form.numbers)
        self._is_simple = not (self._words or self.decimal_comma or self.missing.spelled)  # then a number is nothing else

    def read(self, name: str, text: str, fields: Fields) -> float:
        """The number in the text of a field; NaN: no value. Raises BadLine for a text that is no number."""
        text = text.strip()
        if self._is_simple and name not in self._maps and name not in self._special and _number(text):
            value = float(text)  # nearly always
            if -EXACT < value < EXACT and value not in self.missing.numbers:
                return value
        known = self._word_or_missing(name, text)
        if known is not None:
            return known
        options = self._special.get(name)
        return self._decimal(text) if options is None else self._special_number(name, options, text, fields)

    def _word_or_missing(self, name: str, text: str) -> float | None:
        """The number that a word stands for, NaN for a text that means "no value", None for any other text."""
        mapped = self._maps.get(name)
        if mapped is not None and text in mapped:
            return mapped[text]
        if text in self._words:
            return self._words[text]
        return math.nan if text.lower() in self.missing.texts else None

    def _decimal(self, text: str) -> float:
        """The decimal number in a text; NaN for a number that means "no value", and beyond what a double holds. Raises
        BadLine."""
        written = text
        if self.decimal_comma:
            written = point(text)
        if not NUMBER.fullmatch(written):
            raise BadLine(f"{text[:40]!r} is not a number")
        value = float(written)
        if value in self.missing.numbers or math.isinf(value):
            return math.nan
        if abs(value) >= EXACT and written.lstrip("+-").isdigit():
            return whole(integer(written))
        return value

    def _special_number(self, name: str, options: NumberOptions, text: str, fields: Fields) -> float:
        """The number of a field that has options of its own; NaN: no value. Raises BadLine."""
        factor = 1.0
        if options.unit is not None:
            text, factor = _without_unit(text, options.units())
            known = self._word_or_missing(name, text)
            if known is not None:
                return known
        number = self._hexadecimal(options, text) if options.hex else self._decimal(text)
        if math.isnan(number):
            return number
        if options.degrees_minutes:
            degrees, minutes = divmod(number, 100)
            if not 0 <= degrees <= 180 or minutes >= 60:
                raise BadLine(f"{text[:40]!r} is not an angle in degrees and minutes")
            number = degrees + minutes / 60
        if options.negative_if is not None and fields.get(options.negative_if[0], "").strip() == options.negative_if[1]:
            number = -number
            if number in self.missing.numbers:
                return math.nan
        if factor != 1.0:
            number = _multiply(number, factor)
        return number if options.scale == 1.0 and not options.offset else _multiply(number, options.scale) + options.offset

    def _hexadecimal(self, options: NumberOptions, text: str) -> float:
        """The hexadecimal number in a text, with its sign; NaN: no value. Raises BadLine."""
        if not _HEX.fullmatch(text):
            raise BadLine(f"{text[:40]!r} is not hexadecimal")
        number = int(text, 16)
        if number in self.missing.bits or number in self.missing.numbers:  # YAML reads 0x8000 as 32768
            return math.nan
        if options.sign_bit is not None and number >> options.sign_bit & 1:
            number = -(number & ((1 << options.sign_bit) - 1))
        if options.bits is not None and number >> (options.bits - 1) & 1:
            number -= 1 << options.bits
        return math.nan if number in self.missing.numbers else whole(number)


def _multiply(number: float, factor: float) -> float:
    """Divides where the factor is the inverse of a whole number, because that is exact."""
    by = divisor(factor)
    return number * factor if by is None else number / by


def _without_unit(text: str, units: Mapping[str, float]) -> tuple[str, float]:
    """(the number's text, the factor of its unit). Raises BadLine for another unit than is configured."""
    for unit, factor in units.items():  # the longest first: kWh ends in Wh
        if text.endswith(unit) and not text[: -len(unit)].rstrip()[-1:].isalpha():
            return text[: -len(unit)].rstrip(), factor
    raise BadLine(f"{text[:40]!r} is not in {' or '.join(units)}")
