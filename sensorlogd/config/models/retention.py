"""The model of ``retention:``: how long readings and roll-ups are kept."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from sensorlogd.config.models.section import Section
from sensorlogd.config.models.values import Kept

_KEPT = Field(None, ge=3_600_000_000, description="a duration of at least 1h, or forever")


class RetentionTiers(Section):
    """How long each tier is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    readings: Kept = _KEPT
    minutes: Kept = Field(None, alias="1min", ge=3_600_000_000)
    quarters: Kept = Field(None, alias="15min", ge=3_600_000_000)
    hours: Kept = Field(None, alias="1h", ge=3_600_000_000)
    days: Kept = Field(None, alias="1d", ge=3_600_000_000)

    def tiers(self) -> dict[int, int | None]:
        """Explicitly configured tiers: 0 (readings) or the resolution in seconds -> microseconds, None = for ever."""
        names = {"readings": 0, "minutes": 60, "quarters": 900, "hours": 3600, "days": 86400}
        return {tier: getattr(self, name) for name, tier in names.items() if name in self.model_fields_set}


class RetentionOptions(RetentionTiers):
    sensors: dict[str, RetentionTiers] = Field(default_factory=dict, description="overrides by glob of the sensor's name")
