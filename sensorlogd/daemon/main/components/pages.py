"""The web process, if the running configuration has pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensorlogd.config.models import Config
from sensorlogd.daemon.web_process import WebProcess
from sensorlogd.event_kinds import Emit
from sensorlogd.web.settings import Settings

STOP_WITHIN_S = 2.0


class Pages:
    """Owns the web process, through ``WebProcess``. For the main thread; ``facts`` for any.

    ``wanted``: False: none is started, whatever the configuration says. ``changed``: called when its state has.
    """

    def __init__(self, emit: Emit, changed: Callable[[], None], *, wanted: bool) -> None:
        self._emit = emit
        self._changed = changed
        self._wanted = wanted
        self._web: WebProcess | None = None

    def use(self, settings: Settings | None) -> None:
        """Replace the process by one with these settings, or by none; ``tick`` starts it."""
        settings = settings if self._wanted else None
        if self._web is not None and self._web.settings != settings:
            self._web.stop(STOP_WITHIN_S)
            self._web = None
        if self._web is None and settings is not None:
            self._web = WebProcess(settings, self._emit)

    def waitables(self) -> list[Any]:
        """What the loop should wait for."""
        return [] if self._web is None else self._web.waitables()

    def tick(self) -> None:
        """Called at least every second."""
        if self._web is None:
            return
        before = self._web.state
        self._web.on_readable()
        self._web.tick()
        if self._web.state is not before:
            self._changed()

    def stop(self) -> None:
        """Idempotent; ``tick`` starts nothing afterwards."""
        if self._web is not None:
            self._web.stop(STOP_WITHIN_S)

    def facts(self) -> dict[str, Any]:
        """What ``status`` shows of the web process."""
        web = self._web
        return {
            "web_state": "off" if web is None else web.state.value,
            "web_url": "" if web is None else web.url,
            "web_error": "" if web is None else web.last_error,
            "web_restarts": 0 if web is None else max(web.restarts, 0),
        }


def page_settings(config: Config) -> Settings | None:
    """What the web process is started with; None where the configuration wants none."""
    return Settings.of(config) if config.web.enabled else None
