"""The models of ``daemon:`` and ``storage:``: the daemon itself, and where and how it stores."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from sensorlogd.config import light
from sensorlogd.config.models.section import Section
from sensorlogd.config.models.values import DurationUs, Labels, SizeBytes, Zone


class DaemonOptions(Section):
    data_dir: str | None = Field(None, description="database, lock and last-good configuration live here")
    timezone: Zone = Field("UTC", description="IANA zone of days and of times shown, e.g. Europe/Berlin")
    labels: Labels = Field(default_factory=dict, description="labels that every sensor gets")
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class StorageOptions(Section):
    url: str | None = Field(None, description="sqlite:///PATH; default: sensorlogd.db in data_dir")
    commit_interval: DurationUs = Field(
        1_000_000, ge=10_000, le=600_000_000, description="at most this much is lost on power cut"
    )
    min_free: SizeBytes = Field(500_000_000, description="stop writing when the disk has less left")
    when_full: Literal["stop", "drop_oldest"] = Field("stop", description="what to do then")
    inbox_limit: int = Field(
        200_000, ge=1_000, le=10_000_000, description="readings held in memory while the database cannot write"
    )
    rollup_interval: DurationUs = Field(
        900_000_000, ge=100_000, description="how often roll-ups are computed; answers are current anyway"
    )

    @model_validator(mode="after")
    def _check_url(self) -> StorageOptions:
        if self.url is not None and (not self.url.startswith(light.SQLITE) or len(self.url) <= len(light.SQLITE)):
            raise ValueError(f"url: {self.url!r} is not supported; write sqlite:///PATH (sqlite:////absolute/path)")
        return self
