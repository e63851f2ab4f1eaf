"""Three days of a reading a minute, two hours of which are missing; a spike; and a value that never changes."""

from __future__ import annotations

import math
import time
from pathlib import Path

GAP = (30 * 3600, 32 * 3600)  # seconds ago


SPIKE_AGO = 10 * 3600
CONSTANT = 20.123


def write(path: Path) -> None:
    """Columns t, x and c."""
    now = int(time.time()) // 60 * 60
    past = [now - ago for ago in range(3 * 86_400, 60, -60) if not GAP[0] <= ago < GAP[1]]
    rows = [(at, 85.0 if now - at == SPIKE_AGO else 20 + 6 * math.sin(at / 86_400 * 2 * math.pi)) for at in past]
    path.write_text("t,x,c\n" + "".join(f"{at},{value:.3f},{CONSTANT}\n" for at, value in rows))
