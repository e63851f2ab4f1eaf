"""A handful of seeds of the torture (``make torture`` runs hundreds), and proofs that plan and judge do what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import needs
from tests.torture.judge import judge
from tests.torture.ledger import FIRST, Cause, End, Event, Ledger, Life, Segment, Verb
from tests.torture.log import Log, Reading
from tests.torture.plan import FAMILIES, Plan, plan
from tests.torture.run import Run
from tests.torture.verdict import verdict

SEEDS = (1, 3, 10, 11, 13)
SECONDS = 10.0


@pytest.mark.parametrize("seed", SEEDS)
def test_the_daemon_keeps_its_promises_under_torture(seed: int, tmp_path: Path) -> None:
    """Whatever the plan of this seed does: nothing that was seen committed is lost in silence, and all comes to rest."""
    needs.tool("gcc", "gcc libc6-dev")
    found = verdict(seed, SECONDS, tmp_path / "run")
    listing = "\n".join(f"{each.kind}: {each.what}" for each in found)
    assert not found, (
        f"\n{listing}\n\n{plan(seed, SECONDS)}\nagain: python -m tests.torture --seeds {seed} --seconds {SECONDS:g} --keep"
    )


def test_a_plan_is_decided_by_its_seed() -> None:
    """The same seed gives the same plan, another one another, and every fault is one that a run can do."""
    plans = [plan(seed) for seed in range(200)]
    assert plans == [plan(seed) for seed in range(200)]
    assert len({str(each) for each in plans}) == 200
    done = {fault.kind for each in plans for fault in each.faults}
    assert all(hasattr(Run, f"do_{kind}") for kind in done)
    assert done == {name.removeprefix("do_") for name in dir(Run) if name.startswith("do_")}, "and each of them comes"
    assert all(sum(rate >= 0.5 for rate in each.rates.values()) in (2, 3) for each in plans)
    assert all(set(each.rates) == set(FAMILIES) for each in plans)


# ---- the judge: one good run by hand, then each thing wrong with it --------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A run of twenty seconds in which ten readings were seen and the daemon was ended once, well."""
    quiet = Plan(1, 20.0, {}, (100,), {"commit_interval": "3s", "when_full": "stop"}, keep_days=10, wrong_at_start_s=0, faults=())
    found = Ledger(quiet, began_us=1_700_000_000_000_000, converged_at_s=15.0)
    found.see((("m0", found.began_us + n, FIRST + n) for n in range(10)), 0)
    found.grown = [float(n) for n in range(1, 20)]
    log = tmp_path / "daemon-1.log"
    log.write_text("started: \n")
    found.lives = [Life(1, log, 0.0, asked="term", ready=True, took_s=0.1, end_s=20.0, code=0)]
    found.segments = [Segment("m0", FIRST, 100, 0.0, 20.0)]
    return found


@pytest.fixture
def log(ledger: Ledger) -> Log:
    """The log that such a run leaves."""
    return Log(readings={(name, ts): [Reading(name, value, 1)] for (name, ts), (value, _) in ledger.seen.items()})


def kinds(ledger: Ledger, log: Log) -> set[str]:
    return {violation.kind for violation in judge(ledger, log)}


def test_a_good_run_is_good(ledger: Ledger, log: Log) -> None:
    assert judge(ledger, log) == []


def test_a_reading_that_is_gone_is_lost(ledger: Ledger, log: Log) -> None:
    """Without a cause it is lost, and a gap in its counter."""
    del log.readings["m0", ledger.began_us + 5]
    assert kinds(ledger, log) == {"lost", "gap"}


def test_another_value_is_seen(ledger: Ledger, log: Log) -> None:
    log.readings["m0", ledger.began_us + 5] = [Reading("m0", 7.0, 1)]
    assert kinds(ledger, log) == {"changed", "gap"}


def test_a_reading_that_is_there_twice_is_doubled(ledger: Ledger, log: Log) -> None:
    log.readings["m0", ledger.began_us + 100] = [Reading("m0_2", FIRST + 3.0, 1)]
    assert kinds(ledger, log) == {"doubled"}


def test_dropped_readings_are_no_gap_when_they_are_told(ledger: Ledger, log: Log) -> None:
    """As many as the event says, and no more."""
    for n in (3, 4):
        del log.readings["m0", ledger.began_us + n], ledger.seen["m0", ledger.began_us + n]
    assert kinds(ledger, log) == {"gap"}
    log.events.add(Event(1, "dropped", "m0", "2 readings: the inbox was full"))
    assert kinds(ledger, log) == set()


def test_a_reading_of_a_live_sensor_is_never_refused(ledger: Ledger, log: Log) -> None:
    log.events = {Event(1, "too_old", "m0", "3 readings"), Event(2, "too_old", "old", "3 readings")}
    assert [violation.kind for violation in judge(ledger, log)] == ["refused"]


def test_the_readings_of_a_removed_file_lie_in_an_incident(ledger: Ledger, log: Log) -> None:
    """Removed while the daemon ran and nothing else was wrong: not to be found is not rescued. Removed while down: gone."""
    ledger.ends = [End(0, "remove", 10.0, down=False)]
    log.aside = {at: {found[0].value} for at, found in log.readings.items()}
    log.readings = {}
    assert kinds(ledger, log) == set()
    log.aside = {}
    assert kinds(ledger, log) == {"not rescued"}
    ledger.causes = [Cause("lock", 9.0, 12.0)]
    assert kinds(ledger, log) == {"not rescued"}, "a lock does not hinder reading the file that is still open"
    ledger.causes = [Cause("disk_full", 9.0, 12.0)]
    assert kinds(ledger, log) == set()
    ledger.causes, ledger.ends = [], [End(0, "remove", 10.0, down=True)]
    assert kinds(ledger, log) == set()


def test_what_damage_took_is_told(ledger: Ledger, log: Log) -> None:
    """An incident and an event of the loss; and a leaf page does not hold a thousand readings."""
    ledger.ends = [End(0, "overwrite", 10.0, down=False, pages=1)]
    log.readings = {}
    assert kinds(ledger, log) == {"lost, not told"}
    log.incidents = ["20260101T000000Z"]
    ledger.events = {Event(1, "salvaged", None, "0 readings are back, 10 are lost")}
    assert kinds(ledger, log) == set()
    ledger.see((("old", n, 1.0) for n in range(ledger.began_us - 1_000, ledger.began_us)), 0)
    assert kinds(ledger, log) == {"lost more than was damaged"}


def test_expired_by_the_true_clock_is_not_lost(ledger: Ledger, log: Log) -> None:
    """The plan keeps readings for ten days; a wrong clock may be believed for one."""
    ledger.see([("old", ledger.began_us - 11 * 86_400_000_000, 1.0)], 0)
    assert kinds(ledger, log) == set()
    ledger.see([("old", ledger.began_us - 8 * 86_400_000_000, 1.0)], 0)
    assert kinds(ledger, log) == {"lost"}


def test_silence_without_a_cause_is_told(ledger: Ledger, log: Log) -> None:
    """Five seconds, one commit and some slack without a new reading; not while something is wrong."""
    ledger.grown = [1.0, 2.0, 14.0, 17.0, 19.0]
    assert kinds(ledger, log) == {"not resumed"}
    ledger.causes = [Cause("lock", 3.0, 10.0)]
    assert kinds(ledger, log) == set()
    ledger.causes = [Cause("clock", 3.0, 10.0)]
    assert kinds(ledger, log) == {"not resumed"}


def test_ends_are_judged(ledger: Ledger, log: Log, tmp_path: Path) -> None:
    """By itself, by a wrong status, with a traceback; verbs by their own documented set."""
    life = ledger.lives[0]
    life.code = 1
    assert kinds(ledger, log) == {"exit code"}
    life.asked = None
    assert kinds(ledger, log) == {"ended by itself"}
    life.asked, life.code = "kill", -9
    life.log.write_text("Traceback (most recent call last):\nValueError: x\n")
    assert kinds(ledger, log) == {"traceback"}
    life.log.write_text("")
    ledger.verbs = [Verb(("status",), 1.0, tmp_path / "out", 2.0, code=4), Verb(("backup",), 1.0, tmp_path / "out", 2.0, code=1)]
    assert kinds(ledger, log) == set()
    ledger.verbs.append(Verb(("db", "check"), 16.0, tmp_path / "out", 17.0, code=1))
    assert kinds(ledger, log) == {"db check"}
    ledger.verbs.append(Verb(("events",), 1.0, tmp_path / "out", 2.0, code=-11))
    assert kinds(ledger, log) == {"db check", "exit code"}
    ledger.verbs.append(Verb(("latest",), 1.0, tmp_path / "out", 61.0, code=None))
    assert kinds(ledger, log) == {"db check", "exit code", "verb hangs"}


def test_a_tail_that_was_taken_is_stored(ledger: Ledger, log: Log) -> None:
    """The last reading is not seconds older than the signal that ended the sensor."""
    ledger.segments[0].end_us = ledger.began_us + 1_000_000
    assert kinds(ledger, log) == set()
    ledger.segments[0].end_us = ledger.began_us + 5_000_000
    assert kinds(ledger, log) == {"tail"}
