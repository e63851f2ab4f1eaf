"""The model of ``web:``: where the pages and the API are served, and who may look."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from sensorlogd.config.listen import DEFAULT_LISTEN, auth_needed, is_loopback, split_listen
from sensorlogd.config.models.section import Section
from sensorlogd.config.models.values import DurationUs, SizeBytes


def _check_listen(value: str, info: ValidationInfo) -> str:
    """Validates ``listen`` together with ``auth``, which is declared before it and so is known already."""
    problem = auth_needed(value)
    if problem is not None and "auth" in info.data and info.data["auth"] is None:
        raise ValueError(problem)
    return value


def _check_host_pattern(value: str) -> str:
    if not _HOST_PATTERN.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of a host; write e.g. logger.example.org or '*.example.org', without a port")
    return value.lower()


def _check_base_path(value: str) -> str:
    if value.strip("/") and not _BASE_PATH.fullmatch(value.rstrip("/")):
        raise ValueError(f"{value!r} is not a path; write e.g. /sensors")
    return value.rstrip("/")


_HOST_PATTERN = re.compile(r"\*|(\*\.)?[\w-]+(\.[\w-]+)*\.?|[0-9A-Fa-f:.]+", re.ASCII)
_BASE_PATH = re.compile(r"(/[\w.~-]+)+", re.ASCII)


class WebOptions(Section):
    enabled: bool = Field(True, description="false: the daemon serves no pages")
    auth: Literal["token", "none"] | None = Field(
        None, description="who may look: token, or none for everybody; must be said for an address that others can reach"
    )
    listen: Annotated[str, AfterValidator(_check_listen)] = Field(
        DEFAULT_LISTEN, description="address:port of the pages and the API"
    )
    allowed_hosts: tuple[Annotated[str, AfterValidator(_check_host_pattern)], ...] = Field(
        (), description="further names that the machine is reached by, e.g. behind a proxy"
    )
    base_path: Annotated[str, AfterValidator(_check_base_path)] = Field(
        "", description="the path under which a proxy shows the pages"
    )
    changes: bool | None = Field(
        None,
        description="whether readings may be flagged and notes written from the pages; else only on a loopback address without a proxy",
    )
    query_timeout: DurationUs = Field(
        10_000_000, ge=100_000, le=600_000_000, description="the longest that one question may take"
    )
    memory_limit: SizeBytes = Field(256_000_000, ge=64_000_000, description="the web process is restarted when it needs more")
    prometheus_lookback: Literal["5min", "heartbeat"] = Field(
        "5min", description="how long a reading counts in PromQL: five minutes, or the heartbeat of its series"
    )

    def may_change(self) -> bool:
        """Whether the pages may change things. If it is not set: only if no other machine can reach the address."""
        if self.changes is not None:
            return self.changes
        return is_loopback(split_listen(self.listen)[0]) and not self.base_path and not self.allowed_hosts
