"""The kinds of series, which say how readings aggregate."""

from __future__ import annotations

from typing import Literal, get_args

SeriesKind = Literal["gauge", "counter", "angle", "state"]
SERIES_KINDS: tuple[SeriesKind, ...] = get_args(SeriesKind)
