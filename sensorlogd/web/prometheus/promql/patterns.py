"""Regular expressions as Prometheus has them: RE2 syntax, anchored at both ends, matched in linear time."""

from __future__ import annotations

import re
from typing import Any

import re2  # type: ignore[import-not-found,import-untyped,unused-ignore]  # it ships no types

from sensorlogd.web.prometheus.promql.values import PromError

MAX_PATTERN_CHARACTERS = 1_000
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.dot_nl = True
_OPTIONS.max_mem = 1 << 20
_REFERENCE = re2.compile(r"\$(?:\$|([\pL\p{Nd}_]+)|\{([\pL\p{Nd}_]+)\})")  # \w of Python has other digits, too: ²
_NUMBER = re.compile(r"0|[1-9][0-9]{0,7}")


def compiled(pattern: str) -> Any:
    """An object with ``fullmatch``. Raises PromError for a bad pattern."""
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise PromError(f"a pattern is longer than {MAX_PATTERN_CHARACTERS:,} characters", "bad_data")
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PromError(f"invalid regular expression {pattern!r}: {text}", "bad_data") from None


def expanded(match: Any, template: str) -> str:
    """``template`` with the groups of the match in place of ``$1``, ``${name}`` and ``$$``. A group that does not exist is empty."""

    def group(reference: Any) -> str:
        name = reference[1] or reference[2]
        if name is None:
            return "$"
        groups, named = match.groups(), match.groupdict()
        if _NUMBER.fullmatch(name):
            index = int(name)
            return str(match[0]) if index == 0 else (groups[index - 1] or "") if index <= len(groups) else ""
        return named.get(name) or ""

    return str(_REFERENCE.sub(group, template))
