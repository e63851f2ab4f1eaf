"""Makes the JSON Schema (draft 2020-12) of a configuration, for editors: completion, descriptions, red underlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from sensorlogd.config.alarms import AlarmOptions, TargetOptions
from sensorlogd.config.computed import ComputedOptions
from sensorlogd.config.loading.keys import SECTIONS
from sensorlogd.config.models import SensorOptions
from sensorlogd.config.prices import PriceOptions

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_NAMES = {"propertyNames": {"pattern": r"^\w[\w-]{0,63}$"}}


def json_schema(drivers: Mapping[str, type[SensorOptions]]) -> dict[str, Any]:
    """The schema, with the options of each given driver under its name."""
    entries = {"computed": ComputedOptions, "alarms": AlarmOptions, "notify": TargetOptions, "prices": PriceOptions}
    models: list[Any] = [
        *SECTIONS.values(),
        *entries.values(),
        SensorOptions,
        *(variant for model in drivers.values() for variant in model.variants()),
    ]
    references, defined = models_json_schema([(model, "validation") for model in models], ref_template="#/$defs/{model}")
    ref = {model: references[model, "validation"] for model in models}
    # With a template, required keys may come from there: only the sensor's own keys can be judged.
    by_driver = [
        {
            "if": {
                "properties": {"driver": {"const": name}},
                "required": ["driver"],
                "not": {"anyOf": [{"required": ["template"]}, {"required": ["profile"]}]},
            },
            "then": ref[model] if model.variants() == (model,) else {"anyOf": [ref[variant] for variant in model.variants()]},
        }
        for name, model in sorted(drivers.items())
    ]
    return {
        "$schema": _DRAFT,
        "title": "sensorlogd configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{key: ref[model] for key, model in SECTIONS.items()},
            "include": {
                "type": ["string", "array"],
                "items": {"type": "string"},
                "description": "files or folders with more sensors",
            },
            "base_dir": {"type": "string", "description": "what relative paths are relative to (default: this file's folder)"},
            "templates": {"type": "object", **_NAMES, "additionalProperties": {"type": "object"}},
            "profiles": {"type": "object", "additionalProperties": {"type": "object"}},
            **{key: {"type": "object", **_NAMES, "additionalProperties": ref[model]} for key, model in entries.items()},
            "sensors": {
                "type": "object",
                **_NAMES,
                "additionalProperties": {
                    "type": "object",
                    "properties": {"driver": {"type": "string", "examples": sorted(drivers)}},
                    "allOf": by_driver,
                },
            },
        },
        "$defs": defined.get("$defs", {}),
    }
