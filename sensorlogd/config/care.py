"""The models of ``backup:`` (backups that the daemon makes by itself) and ``heartbeat:`` (signs of life for a monitor elsewhere,
which notices when this machine is gone)."""

from __future__ import annotations

from pydantic import Field, SecretStr, model_validator

from sensorlogd.config.models import DurationUs, FilePath, Section


class BackupOptions(Section):
    """Copies of the log, made by the daemon while it runs; each is read through before it counts as a backup."""

    to: FilePath | None = Field(None, description="the folder for them, on another disk; without it none are made")
    every: DurationUs = Field(86_400_000_000, ge=60_000_000, description="how often")
    keep: int = Field(14, ge=1, le=10_000, description="this many are kept, the newest")


class HeartbeatOptions(Section):
    """A sign of life for a monitor elsewhere, which tells people when it stays away (as Healthchecks does)."""

    url: SecretStr | None = Field(None, description="https://...: asked for (GET) each time, only while readings are committed")
    url_file: FilePath | None = Field(None, description="the file that holds it, in its first line")
    every: DurationUs = Field(300_000_000, ge=1_000_000, description="how often")

    # One validator for the whole section: the error of a single field would quote its value, and that is a secret.
    @model_validator(mode="after")
    def _check_address(self) -> HeartbeatOptions:
        if self.url is not None and self.url_file is not None:
            raise ValueError("url: and url_file: say the same; write one of them")
        if self.url is not None and not self.url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("url: is not an address; write e.g. https://example.org/ping/... (what is there is not shown)")
        return self
