"""Every kind of event that this release records: its name on disk, how serious it is, and one sentence of what it means.

A new kind is one member of ``EventKind``, in the group it belongs to; whoever emits it names the member. Then
``python packages/event_table.py`` writes the table of docs/data-model.md anew, and ``python dashboard/event_kinds.py``
that of the dashboard. A name that has been released never changes.

Logs also hold kinds that are not listed here, from newer releases and from drivers of other authors: each is an ``OtherKind``.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NewType


class Severity(StrEnum):
    """How serious an event is."""

    INFO = "info"  # as it should be, or well again
    WARNING = "warning"  # somebody should look at it some time; it is dealt with, or tried again
    CRITICAL = "critical"  # readings are lost or in danger


_INFO, _WARNING, _CRITICAL = Severity
_DB = True  # the kind is `of_database`


class EventKind(StrEnum):
    """A kind of event. Its value is its name in the database. ``severity`` and ``meaning`` (one sentence) are for people.

    ``of_database``: it says how the database fares, that is what it takes, loses, keeps and brings back. The dashboard's page
    of the database shows these.
    """

    severity: Severity
    meaning: str
    of_database: bool

    def __new__(cls, name: str, severity: Severity, meaning: str, of_database: bool = False) -> EventKind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.severity = severity
        kind.meaning = meaning
        kind.of_database = of_database
        return kind

    # ---- the daemon and its configuration ----
    STARTED = "started", _INFO, "The daemon has started."
    STOPPED = "stopped", _INFO, "The daemon has stopped as it was asked to."
    UNCLEAN_END = "unclean_end", _WARNING, "The run before ended without a clean stop: power failed, or it was killed."
    CONFIG_REJECTED = "config_rejected", _WARNING, "The configuration has a mistake; the last good one is used."
    CONFIG_RELOADED = "config_reloaded", _INFO, "A changed configuration is used from now on."
    RESTART_NEEDED = "restart_needed", _WARNING, "A part of a changed configuration takes effect at the next restart only."
    PART_FAILED = "part_failed", _WARNING, "A part of the daemon could not start; it is tried again."
    PART_STARTED = "part_started", _INFO, "A part of the daemon that could not start has started."

    # ---- sensors ----
    CONNECTED = "connected", _INFO, "The first reading of a sensor has come, or the first after it was away."
    STALE = "stale", _WARNING, "A sensor has been silent for longer than its heartbeat, or its driver does not return."
    LOST = "lost", _WARNING, "A sensor cannot be read any more; it is tried again."
    RETURNED = "returned", _INFO, "A driver that did not return has returned."
    FINISHED = "finished", _INFO, "The source of a sensor has ended for good, as a file does."
    FAILED = "failed", _WARNING, "A sensor cannot be used as it is configured; the others go on."
    SENSORS_FAILED = "sensors_failed", _CRITICAL, "The sensors of a changed configuration could not be entered in the database."
    BAD_TIME = "bad_time", _WARNING, "A device says an impossible time; its readings are stored under the time of arrival."
    WEEK_ROLLOVER = "week_rollover", _WARNING, "The weeks of a GPS receiver have rolled over; its times are put right."
    SILENT_REGISTERS = "silent_registers", _WARNING, "A Modbus unit never answers for these registers, but for others."
    REFUSED_REGISTERS = "refused_registers", _WARNING, "A Modbus unit refuses these registers again and again."

    RENAMED = "renamed", _INFO, "A sensor or channel has another name; its history goes on under it."
    RETIRED = "retired", _INFO, "A channel is not configured any more; its history stays."
    ROLLUPS_STALE = "rollups_stale", _INFO, "The rules of a channel changed, so its roll-ups are computed again.", _DB

    COMPUTED_BEHIND = (
        "computed_behind",
        _WARNING,
        "A computed channel could not be continued from where it was: too much had come since.",
    )
    COMPUTED_FAILED = (
        "computed_failed",
        _WARNING,
        "A fault in sensorlogd: computed channels were not computed; the readings of their inputs are stored.",
    )
    RECOMPUTE = "recompute", _INFO, "A computed sensor is to be computed anew: somebody asked, or its sum began at 0."
    RECOMPUTED = "recomputed", _INFO, "A computed sensor has been computed anew; the sentence says with what outcome."

    # ---- readings ----
    DROPPED = "dropped", _CRITICAL, "Readings are lost: there was no room to keep them.", _DB
    CONFLICT = "conflict", _WARNING, "A second reading came for an instant that has one; the first stays."
    TOO_OLD = "too_old", _WARNING, "Readings came that are older than what is kept; they are not stored."
    POISONED = "poisoned", _CRITICAL, "Readings that the database cannot hold were given up.", _DB
    UNKNOWN_CHANNEL = "unknown_channel", _WARNING, "Readings came of a channel that the database does not know."
    SPILLED = "spilled", _WARNING, "Readings could not be stored before the end and were written beside the database.", _DB
    SPILL_TAKEN_UP = "spill_taken_up", _INFO, "Readings that were written beside the database are stored in it now.", _DB
    SPILL_DAMAGED = "spill_damaged", _CRITICAL, "A file of readings beside the database is damaged; it is kept.", _DB
    SPILL_UNREADABLE = "spill_unreadable", _WARNING, "A file of readings beside the database cannot be read; it waits.", _DB
    EVENTS_DROPPED = (
        "events_dropped",
        _WARNING,
        "Events were too many to keep while the database took none, or the database cannot hold one.",
        _DB,
    )
    IMPORTED = "imported", _INFO, "Readings were imported."
    NOTE = "note", _INFO, "Somebody has written something down."

    # ---- the database ----
    DATABASE_CREATED = "database_created", _INFO, "A new database was begun.", _DB
    DATABASE_BLOCKED = "database_blocked", _WARNING, "The database takes no readings; they are held in memory.", _DB
    DATABASE_UNAVAILABLE = "database_unavailable", _WARNING, "The database cannot be opened; readings are held in memory.", _DB
    DISK_LOW = "disk_low", _CRITICAL, "The disk has less room than `storage.min_free`; readings are held in memory.", _DB
    RECOVERED = "recovered", _INFO, "The database takes readings again.", _DB
    DATABASE_REMOVED = "database_removed", _CRITICAL, "The file of the database was removed while it was open.", _DB
    DATABASE_REPLACED = "database_replaced", _WARNING, "Another file was put in the place of the open database.", _DB
    LOCK_REMOVED = "lock_removed", _WARNING, "A lock file was removed while the daemon ran; its lock is taken anew.", _DB
    WAL_REMOVED = "wal_removed", _WARNING, "The write-ahead log or its index was removed while the database was open.", _DB
    FOREIGN_WAL = (
        "foreign_wal",
        _WARNING,
        "The write-ahead log beside the database belongs to another file; it was set aside.",
        _DB,
    )
    CORRUPT = "corrupt", _CRITICAL, "The database is damaged: it was set aside, and a new one was begun.", _DB
    WAL_HELD = "wal_held", _WARNING, "A program reads for so long that the write-ahead log grows.", _DB
    WAL_RELEASED = "wal_released", _INFO, "Nobody holds the write-ahead log any more.", _DB
    UPKEEP_FAILED = "upkeep_failed", _WARNING, "Old readings cannot be moved or expired; it is tried again.", _DB

    # ---- long work and corrections ----
    SALVAGED = "salvaged", _INFO, "What could be read of a database that was set aside is back.", _DB
    SALVAGE_FAILED = "salvage_failed", _CRITICAL, "Bringing back a database that was set aside was given up before its end.", _DB
    MENDED = "mended", _INFO, "Readings were flagged or recalibrated afterwards, or an import replaced them."
    MEND_UNDONE = "mend_undone", _INFO, "A mend was taken back."
    UNIT_CHANGE_BEGUN = "unit_change_begun", _INFO, "The history of a channel is being converted to another unit."
    UNIT_CHANGED = "unit_changed", _INFO, "A channel has another unit."
    UNIT_CHANGE_REFUSED = "unit_change_refused", _WARNING, "The history of a channel cannot be converted to its new unit."
    WORK_FAILED = "work_failed", _WARNING, "Long work was given up.", _DB
    BACKUP_MADE = "backup_made", _INFO, "A backup was made and read through.", _DB
    BACKUP_FAILED = "backup_failed", _WARNING, "A backup could not be made; it is tried again.", _DB

    # ---- alarms and notifications ----
    ALARM_RAISED = "alarm_raised", _WARNING, "An alarm was raised; its own severity stands in the detail."
    ALARM_RETURNED = "alarm_returned", _INFO, "The condition that an alarm was raised for is over."
    ALARM_ACKNOWLEDGED = "alarm_acknowledged", _INFO, "Somebody has acknowledged an alarm."
    ALARM_SHELVED = "alarm_shelved", _INFO, "An alarm is muted for a while."
    ALARM_UNSHELVED = "alarm_unshelved", _INFO, "An alarm is not muted any more."
    ALARM_REDEFINED = (
        "alarm_redefined",
        _INFO,
        "The definition of an alarm that people may have heard of has changed, so it begins anew.",
    )
    ALARM_REMOVED = "alarm_removed", _INFO, "An alarm that people may have heard of was removed."
    ALARM_FAILED = "alarm_failed", _WARNING, "An alarm cannot be judged; it is left out until the configuration is read again."
    ALARMS_FAILED = "alarms_failed", _WARNING, "Alarms could not be looked after; logging goes on."
    NOTIFY_FAILING = "notify_failing", _WARNING, "A target takes no notifications; it is tried again."
    NOTIFY_RECOVERED = "notify_recovered", _INFO, "A target takes notifications again."
    NOTIFY_GIVEN_UP = "notify_given_up", _WARNING, "Notifications that a target did not take for too long were given up."
    HEARTBEAT_FAILING = (
        "heartbeat_failing",
        _WARNING,
        "The monitor that hears the sign of life cannot be reached; it is tried again.",
    )
    HEARTBEAT_RECOVERED = "heartbeat_recovered", _INFO, "The monitor that hears the sign of life is reached again."

    # ---- the clock ----
    CLOCK_STEP = "clock_step", _WARNING, "The wall clock was set."
    CLOCK_JUDGED = "clock_judged", _WARNING, "The wall clock is believed from now on, or is not."

    # ---- roll-ups and pages ----
    AGGREGATOR_FAILED = "aggregator_failed", _WARNING, "The process that makes roll-ups failed; it is started again.", _DB
    WEB_DOWN = "web_down", _WARNING, "The process that serves pages does not run; it is started again."
    WEB_RECOVERED = "web_recovered", _INFO, "The process that serves pages runs again."


OtherKind = NewType("OtherKind", str)
Kind = EventKind | OtherKind
Emit = Callable[[Kind, str | None, str], None]  # emit(kind, sensor, detail): record an event, without ever waiting

_KNOWN = {kind.value: kind for kind in EventKind}


def kind_of(name: str) -> Kind:
    """The kind called ``name``; an ``OtherKind`` if this release does not know it."""
    return _KNOWN.get(name) or OtherKind(name)


def severity_of(name: str) -> Severity:
    """The severity of the kind called ``name``; a kind that this release does not know is a warning."""
    kind = _KNOWN.get(name)
    return Severity.WARNING if kind is None else kind.severity
