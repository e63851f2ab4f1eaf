"""The shapes of answers, as JSON Schema (2020-12, which OpenAPI 3.1 speaks)."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TIME: Schema = {
    "type": ["string", "number"],
    "description": "RFC 3339 in the zone asked for, or a number since 1970 (time=s, ms, us)",
}
NAME: Schema = {"type": "string"}
NUMBER: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
LABELS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
HEALTH: Schema = {
    "type": "string",
    "enum": ["ok", "waiting", "stale", "reconnecting", "failed", "finished", "stopped", "disabled", "not running"],
}
CELL: Schema = {"type": ["number", "object", "null"], "description": "an object for the aggregate states: seconds in each"}


def nullable(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def closed(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), more: Schema | None = None) -> Schema:
    """An object that has all of these, and no others unless ``more`` says which."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False if more is None else more,
    }


def listed(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


READING = closed({"time": TIME, "sensor": NAME, "channel": NAME, "value": NUMBER, "unit": NAME, "quality": NAME})
SCHEMAS: dict[str, Schema] = {
    "Error": closed(
        {
            "error": closed(
                {
                    "code": {"type": "string", "description": "for programs"},
                    "message": {"type": "string", "description": "for people"},
                    "hint": {"type": "string", "description": "what to do"},
                    "parameter": {"type": "string", "description": "the parameter that is wrong"},
                    "nearest": listed(NAME) | {"description": "names like the one that is not known"},
                },
                optional=("hint", "parameter", "nearest"),
            )
        }
    ),
    "Channel": closed(
        {
            "series": NAME | {"description": "sensor.channel"},
            "channel": NAME,
            "unit": NAME,
            "kind": {"type": "string", "enum": ["gauge", "counter", "angle", "state"]},
            "heartbeat_s": {"type": "number"},
            "labels": LABELS,
            "decimals": {"type": ["integer", "null"], "description": "places of its resolution, as the configuration says"},
            "seen_decimals": {
                "type": ["integer", "null"],
                "description": "the most places that its values came with, as far as is known",
            },
            "retired": nullable(TIME) | {"description": "since when it is not configured any more"},
        }
    ),
    "Sensor": closed(
        {
            "sensor": NAME,
            "state": {"type": "string", "description": "what its reader is doing"},
            "health": HEALTH,
            "since": nullable(TIME) | {"description": "when the state began"},
            "last": nullable(TIME) | {"description": "time of the newest reading"},
            "age_s": NUMBER,
            "error": {"type": ["string", "null"]},
            "counters": {"type": "object", "additionalProperties": {"type": "integer"}},
            "channels": listed(ref("Channel")),
        }
    ),
    "SensorState": closed(
        {
            "sensor": NAME,
            "state": {"type": "string"},
            "health": HEALTH,
            "last": nullable(TIME),
            "age_s": NUMBER,
            "error": {"type": ["string", "null"]},
        }
    ),
    "Reading": READING,
    "Latest": closed(READING["properties"] | {"age_s": {"type": "number"}, "state": {"type": "string", "enum": ["ok", "stale"]}}),
    "ReadingColumns": closed(
        {"sensor": NAME, "channel": NAME, "unit": NAME, "time": listed(TIME), "value": listed(NUMBER), "quality": listed(NAME)}
    ),
    "Bucket": closed(
        {
            "time": TIME,
            "sensor": NAME,
            "channel": NAME,
            "count": COUNT,
            "coverage": {"type": "number", "minimum": 0, "maximum": 1},
        },
        more=CELL,
    ),
    "Buckets": {
        "type": "object",
        "description": "One series. With shape=rows: rows. With shape=columns: time, count, coverage and one array an aggregate.",
        "properties": {
            "sensor": NAME,
            "channel": NAME,
            "unit": NAME,
            "kind": NAME,
            "step": {"type": "string", "description": "the length of a bucket"},
            "since": TIME,
            "until": TIME,
            "source": {"type": "string", "enum": ["readings", "rollups", "rollups+readings"]},
            "resolution": {"type": "string", "description": "the stored tier that answered for most of it"},
            "notes": listed({"type": "string"}),
            "rows": listed(ref("Bucket")),
            "time": listed(TIME),
            "count": listed({"type": ["integer", "number", "null"]}),
            "coverage": listed({"type": "number"}),
        },
        "required": ["sensor", "channel", "unit", "kind", "step", "since", "until", "source", "resolution", "notes"],
        "additionalProperties": listed(CELL),
    },
    "Unreadable": closed({"series": NAME, "since": TIME, "until": TIME}),
    "Event": closed(
        {"id": COUNT, "time": TIME, "kind": NAME, "sensor": {"type": ["string", "null"]}, "detail": {"type": "string"}}
    ),
    "Alarm": closed(
        {
            "alarm": NAME,
            "series": {"type": "string", "description": "sensor.channel; of events the sensor, or nothing"},
            "severity": {"type": "string", "enum": ["info", "warning", "critical"]},
            "state": {"type": "string", "description": "as ISA-18.2 names it"},
            "since": TIME,
            "value": NUMBER,
            "unit": NAME,
            "condition": {"type": "string"},
            "raised": COUNT | {"description": "how often so far"},
            "last_raised": nullable(TIME),
            "until": nullable(TIME) | {"description": "of one that is shelved"},
            "detail": {"type": "string"},
            "note": {"type": "string"},
            "text": {"type": "string"},
        }
    ),
    "Status": closed(
        {
            "now": TIME,
            "daemon": closed(
                {"state_now": {"type": "string"}, "explanation": {"type": "string"}},
                more={"description": "what the daemon wrote about itself"},
            ),
            "database": closed({"path": {"type": "string"}, "bytes": COUNT, "wal_bytes": COUNT}),
            "sensors": listed(ref("SensorState")),
            "config_errors": listed({"type": "string"}),
        }
    ),
}
