"""What the tests of the Python interface share."""

from __future__ import annotations

T0 = 1_774_742_400_000_000  # 2026-03-29T00:00Z; in Berlin the clock goes forward an hour later
S = 1_000_000
