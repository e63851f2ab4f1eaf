"""The configuration that the daemon runs, and what has been wrong with its file since."""

from __future__ import annotations

from sensorlogd.config.models import Config


class ConfigInUse:
    """The configuration in use; changed on the main thread, read by any.

    ``problems``: why the file was not taken, a line each: at the start (then ``from_last_good``), or by a reload.
    """

    def __init__(self, config: Config, problems: list[str]) -> None:
        self.config = config
        self.problems = problems
        self.from_last_good = bool(problems)

    def use(self, config: Config) -> None:
        """The file is valid, and its configuration runs from now on."""
        self.config = config
        self.problems = []
        self.from_last_good = False

    def refuse(self, problems: list[str]) -> None:
        """The file was read again and has mistakes; the configuration stays as it was."""
        self.problems = problems
