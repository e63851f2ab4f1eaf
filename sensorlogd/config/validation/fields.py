"""Finds the keys that are allowed at a place of the configuration, and the field of one of them."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Loc = tuple[int | str, ...]


def keys_at(model: Any, loc: Loc) -> set[str]:
    """The keys that are allowed at ``loc`` inside ``model``."""
    names: set[str] = set()
    for kind in _models_at(model, loc):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {field.alias or name for name, field in kind.model_fields.items()}
    return names


def field_at(model: Any, loc: Loc) -> FieldInfo | None:
    """The field of the nearest key at or above ``loc``, for its description and default; None if there is none."""
    for length in range(len(loc), 0, -1):
        for kind in _models_at(model, loc[: length - 1]):
            if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
                continue
            for name, field in kind.model_fields.items():
                if loc[length - 1] in (name, field.alias):
                    return field
    return None


def _models_at(model: Any, loc: Loc) -> list[Any]:
    """The models that the value at ``loc`` may have."""
    here: list[Any] = [model]
    for part in loc:
        here = [inner for kind in here for inner in _models_below(kind, part)]
    return here


def _models_below(kind: Any, part: int | str) -> list[Any]:
    """The models that ``part`` of a value of this model may have; a part may also be the name that pydantic gives a branch of a
    union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                return _models(field.annotation)
        return [kind] if part == kind.__name__ else []
    return kind.models if isinstance(kind, _Entries) else []


def _models(annotation: Any) -> list[Any]:
    """The models that an annotation may hold: through unions, Annotated, lists and mappings' values."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[Any] = []
    for argument in typing.get_args(annotation):
        found += _models(argument)
    if not found:
        return []
    # A mapping or list: its next loc part is a name or number, which stays on the same models.
    origin = typing.get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, (Mapping, list, tuple)):
        return [_Entries(found)]
    return found


class _Entries:
    """Stands for 'any entry of a mapping or list of these models'."""

    def __init__(self, models: list[Any]) -> None:
        self.models = models
