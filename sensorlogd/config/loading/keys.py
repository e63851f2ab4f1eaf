"""The keys that a configuration may have at its top level."""

from __future__ import annotations

from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.config.models import DaemonOptions, RetentionOptions, Section, StorageOptions, WebOptions

SECTIONS: dict[str, type[Section]] = {
    "daemon": DaemonOptions,
    "storage": StorageOptions,
    "retention": RetentionOptions,
    "web": WebOptions,
    "backup": BackupOptions,
    "heartbeat": HeartbeatOptions,
}
TOP_LEVEL = (*SECTIONS, "templates", "profiles", "sensors", "computed", "alarms", "notify", "prices", "include", "base_dir")
SUGGESTED = TOP_LEVEL[:-1]  # base_dir is for the copy that the daemon keeps
INCLUDABLE = ("templates", "sensors", "computed", "alarms", "notify", "prices")
