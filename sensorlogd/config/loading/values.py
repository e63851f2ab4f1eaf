"""Turns text into values: expands ``${ENV}``, and validates sections by their models."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sensorlogd.config import light
from sensorlogd.config.alarms import SECRET
from sensorlogd.config.loading.document import Document
from sensorlogd.config.models import NAME, Section
from sensorlogd.config.text.tree import Where
from sensorlogd.config.validation import errors as value_errors
from sensorlogd.config.validation.fields import keys_at

Entry = TypeVar("Entry", bound=Section)
_NAMES_ITS_KEY = re.compile(r"([\w-]+(?:\.[\w-]+)*): ")


class Values:
    """Expands and validates the values of one document; mistakes are noted in it."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def expand(self) -> None:
        """Expand ``${NAME}`` everywhere, in place. Parts that YAML aliases share are expanded once."""
        self._expand(self._document.data, ())

    def _expand(self, data: Any, where: Where) -> None:
        """Expand the texts in this part of the data, in place. Recursive; a variable that is not set is noted."""
        entries: Any = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
        for key, value in list(entries):
            here = (*where, key)
            if not isinstance(value, str):
                self._expand(value, here)
            elif "$" in value:
                try:
                    data[key] = light.expand(value)
                except KeyError as error:
                    problem = (
                        f"the environment variable {error.args[0]} is not set; set it, or write ${{{error.args[0]}:-default}}"
                    )
                    self._document.error(here, problem)

    def section(self, key: str, model: type[Section]) -> Section | None:
        """The section ``key``, with defaults if it is not written; None, with the mistakes noted, if it is not valid."""
        data = self._document.data.get(key)
        if data is None:
            return model()
        if not isinstance(data, dict):
            known = sorted(keys_at(model, ()))
            self._document.error(
                (key,),
                f"must hold keys with values, {value_errors.found(data)}; write them below {key}:, indented, without dashes; known keys: {', '.join(known)}",
            )
            return None
        section: Section | None = self.validated(model, data, (key,))
        return section

    def entries(self, key: str, model: type[Entry]) -> dict[str, Entry]:
        """The entries below ``key`` that are valid, by name; the mistakes of the others are noted."""
        entries_by_name: dict[str, Entry] = {}
        for name, entry in self._document.mapping(key).items():
            where: Where = (key, name)
            if not NAME.fullmatch(name):
                problem = "is not a name; use letters, digits, '_' and '-', at most 64, no dots or blanks"
                problem += ", and no '-' in front" if name.startswith("-") else ""
                self._document.error(where, problem, key=True)
            if not isinstance(entry, dict):
                shown = value_errors.found(entry) if key != "notify" else "found something else"  # it may be a secret
                problem = f"must hold keys with values, {shown}; write them below {name}:, indented"
                self._document.error(where, problem, key=True)
                continue
            options: Entry | None = self.validated(model, entry, where)
            if options is not None:
                entries_by_name[name] = options
        return entries_by_name

    def validated(self, model: type[Any], data: dict[str, Any], where: Where) -> Any:
        """``data`` as a ``model``; None, with the mistakes noted at places below ``where``, if it is not valid."""
        try:
            return model.model_validate(data, context={"folder": self._document.base_dir})
        except ValidationError as invalid:
            for detail in invalid.errors(include_url=False):
                self._note_mistake(model, detail, where, data)
            return None

    def _note_mistake(self, model: type[BaseModel], detail: ErrorDetails, where: Where, data: object) -> None:
        """Note a mistake that the model found in ``data``, which stands at ``where``; a secret is not quoted."""
        here = self._place_of(where, detail["loc"], last=detail["type"] in ("extra_forbidden", "missing"))
        if _is_secret(here) and detail["type"] != "extra_forbidden":
            problem = "must be a text (what is there is not shown); write one text, or name a file with ..._file:"
            if here[2:3] == ("command",):
                problem = "must be a list of texts (what is there is not shown); write command: [PROGRAM, ARGUMENT, ...]"
            self._document.error(here, problem)
            return
        problem = value_errors.explain(model, detail, data)
        if detail["type"] == "value_error":
            here, problem = self._nearer(here, problem)
        self._document.error(here, problem, key=detail["type"] == "extra_forbidden")

    def _nearer(self, here: Where, problem: str) -> tuple[Where, str]:
        """(place, problem) of a mistake. A validator of several keys names the key itself, as in ``channels.t: the format gives no
        field 't'``; that key becomes the place."""
        match = _NAMES_ITS_KEY.match(problem)
        if match is None:
            return here, problem
        there = (*here, *match[1].split("."))
        return (there, problem[match.end() :]) if self._document.has(there) else (here, problem)

    def _place_of(self, where: Where, loc: tuple[int | str, ...], *, last: bool) -> Where:
        """The place in the file for pydantic's ``loc``. A part of ``loc`` that the data does not have is the name of a branch of a
        union and is left out; with ``last`` the last part is kept."""
        here = where
        for index, part in enumerate(loc):
            if part == "[key]":
                break
            if self._document.has((*here, part)) or (last and index == len(loc) - 1):
                here = (*here, part)
        return here


def _is_secret(where: Where) -> bool:
    """Whether the value at ``where`` is a secret, which errors must not quote."""
    return where == ("heartbeat", "url") or (where[0] == "notify" and len(where) > 2 and where[2] in SECRET)
