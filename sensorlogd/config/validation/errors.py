"""Explains in plain words why the schema refuses a value: what is allowed there, what was found, what to write.

Pydantic's own messages are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticUndefined

from sensorlogd.config.validation.fields import Loc, field_at, keys_at
from sensorlogd.config.validation.names import closest
from sensorlogd.notation.durations import format_duration, format_size, parse_duration, parse_size

MAX_SHOWN_CHARACTERS = 80
_NUMBERS = ("int_parsing", "int_type", "int_from_float", "int_parsing_size", "float_parsing", "float_type", "finite_number")
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type", "iterable_type")
_KEYS = ("dict_type", "model_type", "mapping_type", "model_attributes_type", "dataclass_type", "dict_attributes_type")
_BOUNDS = {
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
}


class _Mistake:
    """A mistake to explain. ``written``: what the file says there; ``key``: the key it belongs to."""

    def __init__(self, model: type[BaseModel], detail: ErrorDetails, data: object) -> None:
        self.model, self.loc, self.kind = model, detail["loc"], detail["type"]
        self.ctx: Mapping[str, Any] = detail.get("ctx", {})
        self.message = detail["msg"]
        self.written = _value_at(data, self.loc, detail.get("input"))
        self.key = _last_key(data, self.loc)
        self.field = field_at(model, self.loc)

    def example(self) -> str:
        """The default of the key as an example; empty if it would not help."""
        default = None if self.field is None else self.field.default
        return str(default) if isinstance(default, (int, float, str)) and not isinstance(default, bool) and default != "" else ""

    def meaning(self) -> str:
        """`` (what the key is)``, or nothing."""
        return f" ({self.field.description})" if self.field is not None and self.field.description else ""


def explain(model: type[BaseModel], detail: ErrorDetails, data: object) -> str:
    """The sentence for a mistake that ``model`` found in ``data``."""
    mistake = _Mistake(model, detail, data)
    if mistake.kind == "extra_forbidden":
        return _unknown_key(mistake)
    if mistake.kind == "missing":
        return _key_wanted(mistake)
    if mistake.kind in _BOUNDS:
        return _bound_passed(mistake)
    say = _SAYS.get(mistake.kind)
    return _own_words(mistake) if say is None else say(mistake)


def found(value: object) -> str:
    """``found ...``, which describes a value of the file at the end of a sentence."""
    if value is None:
        return "found nothing (the value is empty)"
    if isinstance(value, Mapping):
        return f"found keys with values ({', '.join(str(key) for key in value)})"[:MAX_SHOWN_CHARACTERS] if value else "found {}"
    if isinstance(value, list):
        return f"found the list {_in_one_line(value)}"
    return f"found {str(value)[:MAX_SHOWN_CHARACTERS]!r}"


def names_wanted(key: str, value: object) -> str:
    """The sentence for a value where names of sensors or templates are required."""
    name = (
        next((str(next(iter(item), "")) if isinstance(item, dict) else str(item) for item in value if item), "")
        if isinstance(value, list)
        else ""
    )
    cure = f"{name or 'NAME'}: below {key}:, indented"
    if isinstance(value, list):
        cure += ", without the dash"
    return f"must hold names, each with its keys, {found(value)}; write {cure}"


def _in_one_line(value: object) -> str:
    """A list as it is written in brackets, cut to MAX_SHOWN_CHARACTERS characters."""
    words = (
        [f"{', '.join(str(key) for key in item)}: ..." if isinstance(item, Mapping) else str(item) for item in value]
        if isinstance(value, list)
        else []
    )
    text = f"[{', '.join(words)}]" if isinstance(value, list) else str(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."


def _unknown_key(mistake: _Mistake) -> str:
    key, known = str(mistake.loc[-1]), keys_at(mistake.model, mistake.loc[:-1])
    return unknown_key(key, sorted(known))


def unknown_key(key: str, known: Sequence[str]) -> str:
    """The sentence for a ``key`` that is not among ``known``; perhaps only its colon is wrong."""
    listing = f"; known: {', '.join(known)}" if known else ""
    split = re.fullmatch(r"([\w-]+)\s*[:=]\s*(.+)", key)
    if split is not None and split[1] in known:
        return f"unknown key {key!r}; a key, a colon and a blank come before the value: write {f'{split[1]}: {split[2]}'!r}"
    return f"unknown key{closest(key, known)}{listing}"


def _key_wanted(mistake: _Mistake) -> str:
    last = mistake.loc[-1]
    if isinstance(last, int):
        return (
            f"an entry is missing in the list {_in_one_line(mistake.written)}; write all of them, in brackets{mistake.meaning()}"
        )
    return f"is required here and is not there; add {last}: VALUE{mistake.meaning()}"


def _bound_passed(mistake: _Mistake) -> str:
    text = _BOUNDS[mistake.kind].format_map({name: _bound_text(bound) for name, bound in mistake.ctx.items()})
    if isinstance(mistake.written, str):
        text = _bounds_as_written(text, mistake.ctx, mistake.written)
    bound, way = text.rpartition(" ")[2], "more" if mistake.kind.startswith("greater") else "less"
    cure = f"write {bound} or {way}" if mistake.kind.endswith("_equal") else f"write {way}"
    return f"{text}, {found(mistake.written)}; {cure}{mistake.meaning()}"


def _bound_text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number_wanted(mistake: _Mistake) -> str:
    whole = mistake.kind.startswith("int")
    example = mistake.example() or ("10" if whole else "0.5")
    cure = _number_meant(mistake.written, whole) if isinstance(mistake.written, str) else ""
    allowed = "must be a whole number" if whole else "must be a number"
    return f"{allowed}, {found(mistake.written)}; write {cure or f'digits, e.g. {example}'}"


def _number_meant(written: str, whole: bool) -> str:
    """The number that was probably meant; empty if that is not known."""
    text = written.strip()
    if whole and re.fullmatch(r"[-+]?\d{1,3}([., _']\d{3})+", text, re.ASCII):
        return re.sub(r"[., _']", "", text)
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return f"{int(text, 16)} (the same as {text})"
    comma = re.fullmatch(r"([-+]?\d+),(\d+)", text, re.ASCII)
    if comma is not None and not whole:
        return f"{comma[1]}.{comma[2]}, with a point for the comma"
    digits = text.translate(str.maketrans("OolI", "0011"))
    if digits != text and re.fullmatch(r"[-+]?\d+(\.\d+)?", digits, re.ASCII):
        return f"{digits}, with digits for the letters"
    leading = re.match(r"[-+]?\d+(\.\d+)?(?=\s*[^\d.,\s])", text, re.ASCII)
    if leading is not None and not (whole and leading[1]):
        return f"{leading[0]}, without anything after it"
    return ""


def _boolean_wanted(mistake: _Mistake) -> str:
    return f"must be true or false, {found(mistake.written)}; write true or false"


def _text_wanted(mistake: _Mistake) -> str:
    example = mistake.example()
    cure = "write one text" + (f", e.g. {example}" if example else "")
    return f"must be a text, {found(mistake.written)}; {cure}{mistake.meaning()}"


def _list_wanted(mistake: _Mistake) -> str:
    """The sentence for a value where a list is required; the example is made of what was found."""
    written = mistake.written
    if isinstance(written, Mapping):
        cure = f"[{', '.join(str(key) for key in written)}]"
    elif isinstance(written, str) and "," in written:
        cure = f"[{written.strip('[]() ')}]"
    elif isinstance(written, str) and written.startswith("-") and not written.startswith("--"):
        cure = "each entry as '- entry', with a blank after the dash"
    elif isinstance(written, str) and written.startswith("("):
        cure = f"[{written.strip('() ')}, ...], with square brackets"
    elif mistake.key == "valid":
        cure = f"[null, {written or 100}] or [{written or 0}, null], null for no limit"
    else:
        cure = f"[{written or 'a, b'}]"
    return f"must be a list in brackets, {found(written)}; write {mistake.key}: {cure}{mistake.meaning()}"


def _length_wanted(mistake: _Mistake) -> str:
    least, most = mistake.ctx.get("min_length"), mistake.ctx.get("max_length")
    allowed = f"must have at least {least}" if least is not None else f"must have at most {most}"
    unit = " characters" if isinstance(mistake.written, str) else " entries"
    return f"{allowed}{unit}, {found(mistake.written)}; write as many{mistake.meaning()}"


def _keys_wanted(mistake: _Mistake) -> str:
    """The sentence for a value where keys with values are required; the example is made of what was found."""
    known, written = sorted(keys_at(mistake.model, mistake.loc)), mistake.written
    example = "name: value"
    key = next((key for key in ("type", "unit", "driver") if key in known), known[0] if known else "")
    if key:
        example = f"{key}: {written.strip() if isinstance(written, str) and key in ('type', 'unit') else '...'}"
    if isinstance(written, list) and written and not known:
        example = f"{written[0]}: ..." if isinstance(written[0], str) else example
    cure = f"write {mistake.key}: {{{example}}}"
    if isinstance(written, list):
        cure += ", without dashes and brackets"
    return f"must hold keys with values, {found(written)}; {cure}" + (f"; known keys: {', '.join(known)}" if known else "")


def _choice_wanted(mistake: _Mistake) -> str:
    expected = str(mistake.ctx.get("expected", mistake.ctx.get("expected_tags", "")))
    words = re.findall(r"'([^']*)'", expected)
    hint = closest(str(mistake.written), words) if isinstance(mistake.written, str) else ""
    return f"must be {expected}, {found(mistake.written)}{hint}; write one of them"


def _own_words(mistake: _Mistake) -> str:
    """The message of one of our own validators; what was found is appended if it does not say so."""
    if mistake.kind not in ("value_error", "assertion_error"):
        return f"is not allowed here, {found(mistake.written)}; write something else{mistake.meaning()}"
    problem = mistake.message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    written = mistake.written
    if isinstance(written, str) and repr(written) not in problem and written not in problem:
        problem += f", {found(written)}"
    return problem


_SAYS: dict[str, Callable[[_Mistake], str]] = {
    **dict.fromkeys(_NUMBERS, _number_wanted),
    **dict.fromkeys(_LISTS, _list_wanted),
    **dict.fromkeys(_KEYS, _keys_wanted),
    **dict.fromkeys(("bool_parsing", "bool_type"), _boolean_wanted),
    **dict.fromkeys(("string_type", "string_sub_type"), _text_wanted),
    **dict.fromkeys(("too_short", "too_long", "string_too_short", "string_too_long"), _length_wanted),
    **dict.fromkeys(("literal_error", "enum", "union_tag_invalid", "union_tag_not_found"), _choice_wanted),
}


def _value_at(data: Any, loc: Loc, otherwise: object) -> Any:
    """The value in the file at ``loc``. A part of ``loc`` that the data does not have is the name of a branch of a union."""
    for part in loc:
        try:
            data = data[part]
        except KeyError:
            continue
        except (IndexError, TypeError):
            if isinstance(data, (list, str)):
                return data
            return None if otherwise is PydanticUndefined else otherwise
    return data


def _last_key(data: Any, loc: Loc) -> str:
    """The innermost key of ``loc`` that is in the file, or is missing there; names of branches of a union are left out."""
    last = ""
    for part in loc:
        try:
            data = data[part]
        except (LookupError, TypeError):
            continue
        last = part if isinstance(part, str) else last
    return last


def _bounds_as_written(problem: str, bounds: Mapping[str, Any], written: str) -> str:
    """``problem`` with its limits in the unit of the file: durations and sizes are validated as microseconds and bytes."""
    if written.strip()[-1:].isdigit():
        return problem
    for read_unit, show in ((parse_duration, format_duration), (parse_size, format_size)):
        try:
            read_unit(written)
        except ValueError:
            continue
        for bound in bounds.values():
            if isinstance(bound, int):
                problem = problem.replace(str(bound), show(bound))
        break
    return problem
