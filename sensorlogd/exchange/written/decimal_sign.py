"""Finds the decimal sign of the user's language: a spreadsheet there reads numbers that way."""

from __future__ import annotations

import locale
from collections.abc import Mapping

# Languages that write a decimal comma, for machines on which the locale itself is not installed.
_COMMA = frozenset(
    [
        "af",
        "az",
        "be",
        "bg",
        "bs",
        "ca",
        "cs",
        "da",
        "de",
        "el",
        "es",
        "et",
        "eu",
        "fi",
        "fr",
        "gl",
        "hr",
        "hu",
        "id",
        "is",
        "it",
        "ka",
        "kk",
        "lt",
        "lv",
        "mk",
        "nb",
        "nl",
        "nn",
        "no",
        "pl",
        "pt",
        "ro",
        "ru",
        "sk",
        "sl",
        "sq",
        "sr",
        "sv",
        "tr",
        "uk",
        "vi",
    ]
)
_POINT = frozenset(
    ["de_CH", "de_LI", "es_MX", "es_US", "es_PR", "es_GT", "es_HN", "es_NI", "es_PA", "es_PE", "es_SV", "es_DO", "it_CH"]
)


def decimal_of(environment: Mapping[str, str]) -> str:
    """``,`` or ``.``, from LC_ALL, LC_NUMERIC or LANG."""
    named = next((environment[key] for key in ("LC_ALL", "LC_NUMERIC", "LANG") if environment.get(key)), "C")
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, named)
        return "," if locale.localeconv()["decimal_point"] == "," else "."
    except locale.Error:
        short = named.partition(".")[0].partition("@")[0]
        return "," if short.partition("_")[0] in _COMMA and short not in _POINT else "."
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)
