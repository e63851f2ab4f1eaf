"""What one run does to the daemon: ``plan(seed)``. The seed decides everything, and all of it can be printed before the run.

Two or three families of faults are chosen and each gets a rate; the others come rarely or not at all. So most runs are hard in few
ways at once, which is what finds faults, and no two seeds are alike. Times are seconds from the first stored reading on.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

DAY_S = 86_400
OLD_READINGS = 20_000
OLD_DAYS = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """``kind`` is the name of a method of ``faults.Faults`` without its ``do_``; ``how`` are its arguments."""

    at_s: float
    kind: str
    how: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.at_s:6.2f} s  {self.kind:16}  " + " ".join(f"{name}={value}" for name, value in self.how.items())


@dataclass(frozen=True, slots=True)
class Plan:
    """``rates``: faults of a family in ten seconds. ``storage``, ``retention``: sections of the configuration.
    ``intervals_ms``: of the sensors. ``keep_days``: how long readings are kept; None: for ever."""

    seed: int
    seconds: float
    rates: dict[str, float]
    intervals_ms: tuple[int, ...]
    storage: dict[str, Any]
    keep_days: int | None
    wrong_at_start_s: int
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        rates = ", ".join(f"{family} {rate:.2f}" for family, rate in self.rates.items() if rate)
        return "\n".join(
            [
                f"seed {self.seed}, {self.seconds:g} s; faults in 10 s: {rates}",
                f"sensors every {', '.join(map(str, self.intervals_ms))} ms; storage {json.dumps(self.storage)};"
                f" readings kept {'for ever' if self.keep_days is None else f'{self.keep_days} d'};"
                f" clock at the start off by {self.wrong_at_start_s} s",
                *map(str, self.faults),
            ]
        )


def plan(seed: int, seconds: float = 20.0) -> Plan:
    """The run of this seed. Equal for equal arguments, whatever the machine."""
    rng = random.Random(f"sensorlogd torture {seed}")
    rates = _rates(rng)
    faults = [
        Fault(round(at_s, 2), *FAMILIES[family](rng)) for family, rate in rates.items() for at_s in _times(rng, rate, seconds)
    ]
    faults += _visits(seed, seconds, rates)
    storage = {
        "commit_interval": rng.choice(("100ms", "200ms", "1s", "3s")),
        "rollup_interval": rng.choice(("500ms", "2s", "2s", "15min")),
        "min_free": rng.choice(("0B", "1MB", "1MB")),
        "when_full": rng.choice(("stop", "stop", "drop_oldest")),
        "inbox_limit": rng.choice((1_000, 200_000, 200_000)),
    }
    return Plan(
        seed=seed,
        seconds=seconds,
        rates=rates,
        intervals_ms=tuple(rng.choice((10, 20, 50, 100, 200)) for _ in range(rng.randint(2, 4))),
        storage=storage,
        keep_days=rng.choice((None, None, 90, 90, 10)),
        wrong_at_start_s=_step(rng) if rates["clock"] and rng.random() < 0.3 else 0,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
    )


def _rates(rng: random.Random) -> dict[str, float]:
    count = rng.choice((2, 3, 3))
    chosen: set[str] = set()
    while len(chosen) < count:
        chosen |= set(rng.choices(sorted(FAMILIES), [WEIGHTS.get(family, 1) for family in sorted(FAMILIES)]))
    rest = rng.choice((0.0, 0.0, 0.1))
    return {
        family: round(rng.uniform(*RATES.get(family, (1.0, 4.0))) if family in chosen else rest * rng.random() * 3, 2)
        for family in sorted(FAMILIES)
    }


def _visits(seed: int, seconds: float, rates: dict[str, float]) -> list[Fault]:
    """Of other programs, in every third run and by dice of their own. Not where files are removed, exchanged, or damaged: what a
    visitor does to such a one is lost by right."""
    rng = random.Random(f"sensorlogd torture visits {seed}")
    if seed % 3 or rates["files"]:
        return []
    return [
        Fault(round(at_s, 2), "visit", {"statement": rng.choice(VISITS), "for_s": round(rng.uniform(0.2, 3.0), 2)})
        for at_s in _times(rng, rng.uniform(1.0, 5.0), seconds)
    ]


def _times(rng: random.Random, rate: float, seconds: float) -> list[float]:
    """As a Poisson process would have them."""
    found, at_s = [], 0.0
    while rate and (at_s := at_s + rng.expovariate(rate / 10)) < seconds:
        found.append(at_s)
    return found


# ---- the families ------------------------------------------------------------------------------------------------------

Choice = tuple[str, dict[str, Any]]


def _short(rng: random.Random) -> float:
    """A time down or away: mostly short."""
    return round(rng.choice((0.0, rng.uniform(0.0, 1.0), rng.uniform(0.0, 4.0))), 2)


def _step(rng: random.Random) -> int:
    """Seconds to years, in both directions."""
    size = rng.choice((2, 40, 600, 7_200, 5 * DAY_S, 60 * DAY_S, 400 * DAY_S, 10 * 365 * DAY_S))
    return rng.choice((-1, 1)) * round(size * rng.uniform(0.6, 1.4))


def _ends(rng: random.Random) -> Choice:
    return rng.choice(("kill", "kill", "term")), {"down_s": _short(rng)}


def _stops(rng: random.Random) -> Choice:
    return rng.choice(("stop_daemon", "stop_aggregator")), {"for_s": round(rng.uniform(0.3, 6.0), 2)}


def _disk(rng: random.Random) -> Choice:
    call, what = rng.choice(
        [("pwrite", "ENOSPC"), ("pwrite", "EIO"), ("pwrite", "SHORT"), ("fdatasync", "EIO"), ("fsync", "EIO"), ("ftruncate", "EIO"),
         ("write", "ENOSPC"), ("write", "SHORT"), ("rename", "EIO"), ("unlink", "EIO")]
    )  # fmt: skip
    permille = rng.choice((3, 50, 300, 1000))
    return "disk_fails", {"call": call, "what": what, "permille": permille, "for_s": round(rng.uniform(0.5, 6.0), 2)}


def _full(rng: random.Random) -> Choice:
    return "disk_full", {"free_bytes": rng.choice((0, 4_096, 500_000)), "for_s": round(rng.uniform(1.0, 9.0), 2)}


def _locks(rng: random.Random) -> Choice:
    return "lock", {"mode": rng.choice(("IMMEDIATE", "EXCLUSIVE")), "for_s": round(rng.uniform(1.0, 10.0), 2)}


def _files(rng: random.Random) -> Choice:
    """``down``: end the daemon so first (None: it goes on running meanwhile)."""
    down = rng.choice((None, None, "kill", "term"))
    kind = rng.choice(("remove", "replace", "truncate", "empty", "overwrite", "overwrite"))
    how: dict[str, Any] = {"down": down}
    if kind in ("remove", "replace"):
        how["side_files"] = rng.random() < 0.5  # whether the -wal and -shm go, too
    elif kind == "truncate":
        how["part"] = round(rng.uniform(0.05, 0.95), 3)
    elif kind == "overwrite":
        how |= {"pages": rng.choice((1, 1, 3, 10)), "where": rng.randrange(1 << 30)}
    return kind, how


def _clock(rng: random.Random) -> Choice:
    how = {"by_s": _step(rng), "for_s": round(rng.uniform(1.0, 8.0), 2)}
    return rng.choice((("clock", how), ("clock", how), ("clock_at_start", how)))


def _reloads(rng: random.Random) -> Choice:
    return rng.choice(("reload", "reload_bad", "rename")), {}


def _changes(rng: random.Random) -> Choice:
    kind = rng.choice(("import", "import_replace", "flag", "recalibrate", "cut_mend", "cut_mend", "undo", "undo"))
    if kind == "cut_mend":
        return kind, {"what": rng.choice(("verb", "daemon")), "scale": rng.choice((1.1, 1.3))}
    if kind in ("flag", "recalibrate"):
        since = rng.uniform(0.1, OLD_DAYS)
        how = {"since_days": round(since, 2), "until_days": round(since * rng.choice((0.0, rng.random())), 2)}
        return kind, how | ({"scale": rng.choice((1.1, 1.3, -0.7))} if kind == "recalibrate" else {})
    return kind, {}


def _care(rng: random.Random) -> Choice:
    return rng.choice(("rebuild", "backup", "compact")), {}


RATES = {"files": (0.5, 1.5)}  # each file's story must have the time to come to its end
WEIGHTS = {"files": 3, "clock": 2, "disk": 2, "full": 2, "ends": 2, "changes": 2}  # where most can be lost; the others: 1
VISITS = (
    "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint(RESTART)", "ANALYZE", "REINDEX", "PRAGMA integrity_check",
    "CREATE TABLE IF NOT EXISTS _theirs (a)",
)  # fmt: skip
FAMILIES = {
    "ends": _ends, "stops": _stops, "disk": _disk, "full": _full, "locks": _locks, "files": _files, "clock": _clock,
    "reloads": _reloads, "changes": _changes, "care": _care,
}  # fmt: skip
