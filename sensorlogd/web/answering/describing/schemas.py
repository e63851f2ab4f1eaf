"""The shapes of answers, as JSON Schema (2020-12, which OpenAPI 3.1 speaks)."""

from __future__ import annotations

from typing import Any

from sensorlogd.series_kinds import SERIES_KINDS

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
    """The same schema, null allowed. ``schema`` must have a ``type``."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def closed(properties: dict[str, Schema], *, optional: tuple[str, ...] = (), more: Schema | None = None) -> Schema:
    """The schema of an object with these members, of which only ``optional`` ones may be missing. ``more``: the schema of any
    others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False if more is None else more,
    }


def listed(schema: Schema) -> Schema:
    """The schema of an array whose items are of this schema."""
    return {"type": "array", "items": schema}


def ref(name: str) -> Schema:
    """A reference to one of SCHEMAS, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


# What the daemon wrote of itself, as far as pages and programs may count on it. All of it is missing before the first start.
DAEMON_FACTS: dict[str, Schema] = {
    "version": NAME,
    "state": {"type": "string", "description": "writing, blocked, stopped ..."},
    "state_reason": {"type": "string", "description": "why it is not writing; empty while it is"},
    "started_us": COUNT,
    "committed": COUNT | {"description": "readings since the start"},
    "last_commit_us": COUNT | {"description": "0: none since the start"},
    "last_commit_ms": {"type": "number", "description": "how long it took"},
    "late": COUNT,
    "repeated": COUNT,
    "shifted": COUNT,
    "inbox_depth": COUNT | {"description": "readings that wait to be stored"},
    "inbox_limit": COUNT | {"description": "how many may wait"},
    "rollup_state": NAME,
    "rollup_error": {"type": "string", "description": "empty: none"},
    "web_state": NAME,
    "web_restarts": COUNT,
    "clock": closed({"sentence": {"type": "string", "description": "how the clock is judged"}}, more={}),
    "work": listed(
        closed({"id": {"type": "integer"}, "kind": NAME, "done": COUNT, "total": COUNT, "outcome": {"type": "string"}}, more={})
    )
    | {"description": "long work that is not over"},
    "parts": {"type": "object", "additionalProperties": {"type": "string"}, "description": "what has not started, and why"},
    "findings": listed({"type": "string"}) | {"description": "what of this machine does not fit the configuration"},
}

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
            "kind": {"type": "string", "enum": list(SERIES_KINDS)},
            "heartbeat_s": {"type": "number"},
            "labels": LABELS,
            "decimals": {"type": ["integer", "null"], "description": "places of its resolution, as the configuration says"},
            "seen_decimals": {
                "type": ["integer", "null"],
                "description": "the most places that its values came with, as far as is known",
            },
            "valid": {
                "type": ["array", "null"],
                "items": NUMBER,
                "description": "lowest and highest possible value, as far as the configuration says; beyond is fail:gross_range",
            },
            "retired": nullable(TIME) | {"description": "since when it is not configured any more"},
        }
    ),
    "Sensor": closed(
        {
            "sensor": NAME,
            "state": {"type": "string", "description": "what its thread is doing"},
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
            "resolution": {"type": "string", "description": "the stored resolution that answered for most of it"},
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
            "limit": NUMBER | {"description": "the number of a comparison that is in the unit of the series"},
            "clear_limit": NUMBER | {"description": "that of its clear"},
            "raised": COUNT | {"description": "how often so far"},
            "last_raised": nullable(TIME),
            "until": nullable(TIME) | {"description": "of one that is shelved"},
            "detail": {"type": "string"},
            "note": {"type": "string"},
            "text": {"type": "string"},
        }
    ),
    "Mend": closed(
        {
            "mend": COUNT | {"description": "its number, for undo"},
            "series": NAME,
            "made": TIME,
            "since": TIME,
            "until": TIME,
            "what": {"type": "string"},
            "note": {"type": "string"},
            "readings": COUNT,
            "state": {"type": "string", "description": "done, waiting, under way, taken back ..."},
        }
    ),
    "Mended": closed(
        {
            "mend": COUNT,
            "readings": COUNT,
            "done": {"type": "boolean", "description": "false: the daemon goes on with it"},
            "series": NAME,
        },
        optional=("series",),
    ),
    "Panel": closed(
        {
            "name": NAME,
            "view": {"type": "string", "description": "the part of the address of the dashboard that begins with #/"},
            "saved": TIME,
            "saved_us": {"type": "integer", "description": "as in panels.json"},
        }
    ),
    "Cost": closed(
        {
            "series": NAME,
            "tariff": {"type": "string", "description": "its name under prices:"},
            "currency": {"type": "string"},
            "unit": NAME,
            "time": listed(TIME),
            "increase": listed({"type": "number"}),
            "cost": listed({"type": "number"}),
            "unpriced": listed({"type": "number"}) | {"description": "of the increase, what no price is known for"},
        }
    ),
    "Database": closed(
        {
            "bytes": COUNT,
            "wal_bytes": COUNT,
            "free_bytes": COUNT | {"description": "in the file, to be used again"},
            "disk_free_bytes": COUNT,
            "first": nullable(TIME) | {"description": "time of the oldest reading"},
            "last": nullable(TIME),
            "series": COUNT,
            "events": COUNT,
            "mends": COUNT,
            "readings_per_day": NUMBER | {"description": "as in the last day; null: too little is known yet"},
            "bytes_per_day": NUMBER | {"description": "what these and their roll-ups take, about"},
            "expires": {"type": "boolean", "description": "old readings expire already: it does not grow by all of that"},
            "full": nullable(TIME)
            | {"description": "when the disk is full, as it grows now; null: not within a century, or not known"},
            "moved_until": nullable(TIME),
            "rolled_up_until": nullable(TIME),
            "hours_to_roll_up": COUNT | {"description": "of series, that wait to be rolled up anew, about"},
            "parts": {
                "type": ["object", "null"],
                "additionalProperties": {"type": "integer"},
                "description": "bytes of each part of the file, if parts=1 asks for them and SQLite can tell",
            },
            "incidents": listed(
                closed(
                    {"name": NAME, "time": TIME, "reason": {"type": "string"}, "bytes": COUNT, "salvaged": {"type": "boolean"}}
                )
            ),
        }
    ),
    "AlarmPeriod": closed(
        {
            "alarm": NAME,
            "series": {"type": "string", "description": "as of Alarm"},
            "since": TIME,
            "until": nullable(TIME) | {"description": "null: not yet over at the end of the range"},
        }
    ),
    "Daemon": closed(
        {
            "state_now": {"type": "string", "description": "running, blocked, hung, stopped, crashed or never started"},
            "explanation": {"type": "string"},
            **DAEMON_FACTS,
        },
        optional=tuple(DAEMON_FACTS),
        more={"description": "what else the daemon wrote about itself"},
    ),
    "Status": closed(
        {
            "now": TIME,
            "daemon": ref("Daemon"),
            "database": closed({"path": {"type": "string"}, "bytes": COUNT, "wal_bytes": COUNT}),
            "sensors": listed(ref("SensorState")),
            "config_errors": listed({"type": "string"}),
            "changes": {"type": "boolean", "description": "whether readings may be flagged and notes written here"},
        }
    ),
}
