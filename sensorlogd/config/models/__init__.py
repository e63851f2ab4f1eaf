"""The configuration's schema. Every key a YAML file may hold is a field here.

Drivers import all of it from this package; which file a name stands in may change, the names do not.
"""

from sensorlogd.config.models.channels import ChannelOptions
from sensorlogd.config.models.daemon import DaemonOptions, StorageOptions
from sensorlogd.config.models.retention import RetentionOptions, RetentionTiers
from sensorlogd.config.models.section import Section
from sensorlogd.config.models.sensors import SensorOptions
from sensorlogd.config.models.values import (
    DURATION_PATTERN,
    NAME,
    RESERVED_LABELS,
    DurationUs,
    FilePath,
    Finite,
    Instant,
    Kept,
    Labels,
    Name,
    RatePerSecond,
    ShortText,
    SizeBytes,
    Zone,
)
from sensorlogd.config.models.web import WebOptions
from sensorlogd.config.models.whole import Config

__all__ = [
    "DURATION_PATTERN",
    "NAME",
    "RESERVED_LABELS",
    "ChannelOptions",
    "Config",
    "DaemonOptions",
    "DurationUs",
    "FilePath",
    "Finite",
    "Instant",
    "Kept",
    "Labels",
    "Name",
    "RatePerSecond",
    "RetentionOptions",
    "RetentionTiers",
    "Section",
    "SensorOptions",
    "ShortText",
    "SizeBytes",
    "StorageOptions",
    "WebOptions",
    "Zone",
]
