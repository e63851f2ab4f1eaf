"""The schema, described with SQLAlchemy Core. Created by the migrations; a test proves both the same. Only tests
import it: the product writes SQL, and gets its schema from ``fresh.sql`` or the migrations.

Times are integer microseconds since 1970-01-01T00:00Z. ``docs/data-model.md`` explains every table for people who open
the file themselves.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import REAL, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint, text

metadata = MetaData()


def _table(name: str, *columns: Any, rowid: bool = True) -> Table:
    return Table(name, metadata, *columns, sqlite_strict=True, sqlite_with_rowid=rowid)


def _integer(name: str, *, primary: bool = False, null: bool = False, default: str | None = None) -> Column[Any]:
    return Column(
        name,
        Integer,
        primary_key=primary,
        nullable=null,
        autoincrement=False,
        server_default=text(default) if default else None,
    )


def _real(name: str) -> Column[Any]:
    return Column(name, REAL, nullable=True)


def _text(name: str, *, primary: bool = False, null: bool = False, default: str | None = None) -> Column[Any]:
    return Column(name, Text, primary_key=primary, nullable=null, server_default=text(default) if default else None)


sensor = _table(
    "sensor",
    _integer("id", primary=True),
    Column("name", Text, nullable=False, unique=True),
    _text("driver"),
    _text("labels", default="'{}'"),
    _integer("created_us"),
    _integer("retired_us", null=True),
)
series = _table(
    "series",
    _integer("id", primary=True),
    Column("sensor_id", Integer, ForeignKey("sensor.id"), nullable=False),
    _text("channel"),
    _text("unit", default="''"),
    _text("kind"),
    _integer("heartbeat_us"),
    _text("labels", default="'{}'"),
    _integer("created_us"),
    _integer("retired_us", null=True),
    _real("wrap"),
    Column("dip", REAL, nullable=False, server_default=text("0.1")),
    Column("zero", REAL, nullable=False, server_default=text("0.0")),
    UniqueConstraint("sensor_id", "channel"),
)
# Two tables for readings, because key order decides both wear and speed: by (ts, series) while new, by (series, ts) once
# moved. A reading at ts lives in history if ts < meta.moved_until_us, else in recent.
recent = _table(
    "recent",
    _integer("ts", primary=True),
    _integer("series_id", primary=True),
    _real("value"),
    _integer("quality"),
    rowid=False,
)
history = _table(
    "history",
    _integer("series_id", primary=True),
    _integer("ts", primary=True),
    _real("value"),
    _integer("quality"),
    rowid=False,
)
latest = _table(
    "latest",
    _integer("series_id", primary=True),
    _integer("ts"),
    _real("value"),
    _integer("quality"),
    _integer("arrived_us"),
)
calibration = _table(
    "calibration",
    _integer("series_id", primary=True),
    _integer("valid_from", primary=True),
    Column("scale", REAL, nullable=False),
    Column("offset", REAL, nullable=False),
    _text("curve", null=True),
    rowid=False,
)
rollup = _table(
    "rollup",
    _integer("series_id", primary=True),
    _integer("resolution", primary=True),
    _integer("start", primary=True),
    _integer("n"),
    _real("mean"),
    _real("m2"),
    _real("min"),
    _real("max"),
    _integer("first_ts", null=True),
    _real("first"),
    _integer("last_ts", null=True),
    _real("last"),
    _real("integral"),
    _integer("covered_us", null=True),
    _real("increase"),
    _integer("resets", null=True),
    _real("sin_sum"),
    _real("cos_sum"),
    *[_integer(name, default="0") for name in ("n_good", "n_not_evaluated", "n_suspect", "n_fail", "n_missing")],
    _integer("transitions", null=True),
    _text("states", null=True),
    _real("second"),
    _real("last_but_one"),
    rowid=False,
)
dirty = _table("dirty", _integer("series_id", primary=True), _integer("start", primary=True), _integer("generation"), rowid=False)
stale = _table(
    "stale",
    _integer("series_id", primary=True),
    _integer("tier", primary=True),
    _integer("from_us"),
    _integer("generation"),
    rowid=False,
)
retention_cut = _table(
    "retention_cut",
    _integer("series_id", primary=True),
    _integer("tier", primary=True),
    _integer("cut_us"),
    rowid=False,
)
event = _table(
    "event",
    _integer("id", primary=True),
    _integer("ts"),
    _text("kind"),
    _text("sensor", null=True),
    _text("detail", default="''"),
)
Index("event_ts", event.c.ts)
sensor_status = _table(
    "sensor_status",
    _integer("sensor_id", primary=True),
    _text("state"),
    _integer("since_us"),
    _integer("last_reading_us", null=True),
    _text("last_error", null=True),
    _text("counters", default="'{}'"),
    _integer("updated_us"),
)
mend = _table(
    "mend",
    _integer("id", primary=True),
    _integer("made_us"),
    _integer("series_id"),
    _integer("since_us"),
    _integer("until_us"),
    _integer("quality", null=True),
    _real("scale"),
    _real("offset"),
    _text("note"),
    _integer("at_us"),
    _integer("readings", default="0"),
    _integer("done_us", null=True),
    _integer("undone_us", null=True),
    _text("kind", default="'change'"),
    _text("curve", null=True),
)
mended = _table(
    "mended",
    _integer("mend_id", primary=True),
    _integer("first_ts", primary=True),
    _integer("n"),
    Column("before", LargeBinary, nullable=False),
    rowid=False,
)
work = _table(
    "work",
    _integer("id", primary=True),
    _text("kind"),
    _integer("series_id", null=True),
    _text("request", default="'{}'"),
    _text("progress", default="'{}'"),
    _text("state"),
    _integer("made_us"),
    _integer("updated_us"),
    _integer("ended_us", null=True),
    _integer("done", default="0"),
    _integer("total", null=True),
    _text("outcome", default="''"),
)
alarm = _table(
    "alarm",
    _integer("id", primary=True),
    *[_text(name) for name in ("name", "subject", "definition", "condition", "severity")],
    _text("unit", default="''"),
    _text("state"),
    _integer("since_us"),
    _integer("held_at", null=True),
    *[_integer(name, default="0") for name in ("raised_at", "raised_us", "told_at", "last_at", "escalated")],
    _real("value"),
    _text("detail", default="''"),
    _integer("raises", default="0"),
    _text("note", default="''"),
    _integer("shelved_until_at", default="0"),
    _integer("shelved_until_us", null=True),
    _text("text", default="''"),
    UniqueConstraint("name", "subject"),
)
alarm_change = _table(
    "alarm_change",
    _integer("id", primary=True),
    _integer("ts"),
    *[_text(name) for name in ("name", "subject", "kind", "before", "after")],
    _real("value"),
    _text("detail", default="''"),
)
Index("alarm_change_ts", alarm_change.c.ts)
notification = _table(
    "notification",
    _integer("id", primary=True),
    Column("identity", Text, nullable=False, unique=True),
    *[_text(name) for name in ("target", "kind", "name", "subject")],
    _integer("made_us"),
    _text("body", default="'{}'"),
    _text("state"),
    _integer("tries", default="0"),
    _integer("ended_us", null=True),
    _text("message", default="''"),
    _text("error", default="''"),
)
Index("notification_state", notification.c.state)
daemon_status = _table("daemon_status", _text("key", primary=True), _text("value"))
meta = _table("meta", _text("key", primary=True), _text("value"))
