"""A daemon of one simulated sensor, with sections more, and the events that it stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.rig import reading


def configuration(folder: Path, **more: Any) -> Path:
    path = folder / "sensorlogd.yaml"
    whole = {
        "daemon": {"data_dir": str(folder / "data")},
        "storage": {"commit_interval": "50ms", "min_free": "0B"},
        "sensors": {"s": {"driver": "simulated", "interval": "50ms", "channels": {"x": {"signal": {"constant": {"value": 1}}}}}},
    }
    path.write_text(json.dumps(whole | more))
    return path


def events_of(folder: Path) -> list[tuple[str, str]]:
    with reading(folder / "data" / "sensorlogd.db") as conn:
        return conn.execute("SELECT kind, detail FROM event ORDER BY id").fetchall()
