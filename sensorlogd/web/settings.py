"""The settings of the web process. They come from a configuration or from a command line, and do not know which."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sensorlogd import prices, saved_views
from sensorlogd.config.listen import split_listen
from sensorlogd.prices import Tariff
from sensorlogd.web import token

if TYPE_CHECKING:
    from sensorlogd.config.models import Config


@dataclass(frozen=True, slots=True)
class Settings:
    """What the daemon tells the web process. ``auth``: ``token`` requires the token in ``token_file`` of everybody.
    ``base_path``: what a proxy puts before the paths.

    ``changes``: readings may be flagged, notes written and views saved. ``saved_views_file``: where those are.

    ``port`` 0 takes any free one. ``zone``: of times that are shown and read where a request names none.
    """

    database: Path
    host: str = "127.0.0.1"
    port: int = 8321
    zone: str = "UTC"
    auth: Literal["none", "token"] = "none"
    token_file: Path | None = None
    base_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    changes: bool = False
    saved_views_file: Path | None = None
    tariffs: tuple[Tariff, ...] = ()
    query_timeout_s: float = 10.0
    query_threads: int = 3
    query_readings: int = 5_000_000  # that a PromQL query may look at
    query_cells: int = 500_000  # values in its answer
    memory_limit_bytes: int = 256_000_000
    prometheus_lookback: Literal["5min", "heartbeat"] = "5min"

    @classmethod
    def of(cls, config: Config) -> Settings:
        """The settings for the daemon's web process."""
        from sensorlogd.config.prices import tariffs  # pydantic, which the web process does not need

        web = config.web
        host, port = split_listen(web.listen)
        return cls(
            database=config.database_path().absolute(),
            host=host,
            port=port,
            zone=config.daemon.timezone,
            auth=web.auth or "none",
            token_file=config.data_dir().absolute() / token.NAME,
            base_path=web.base_path,
            allowed_hosts=web.allowed_hosts,
            changes=web.may_change(),
            tariffs=tariffs(config.prices),
            saved_views_file=config.data_dir().absolute() / saved_views.FILE,
            query_timeout_s=web.query_timeout / 1e6,
            memory_limit_bytes=web.memory_limit,
            prometheus_lookback=web.prometheus_lookback,
        )

    def to_json(self) -> str:
        """The settings as an argument for the command line of the process; ``from_json`` reads it."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The settings that ``to_json`` wrote. Raises ValueError or KeyError for any other text."""
        found = json.loads(text)
        found["database"] = Path(found["database"])
        found["token_file"] = Path(found["token_file"]) if found["token_file"] else None
        found["saved_views_file"] = Path(found["saved_views_file"]) if found["saved_views_file"] else None
        found["tariffs"] = prices.of(found["tariffs"])
        found["allowed_hosts"] = tuple(found["allowed_hosts"])
        return cls(**found)
