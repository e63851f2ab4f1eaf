"""Carry out a plan on a real daemon: ``run(plan, folder)`` -> ledger. First everything may fail; then the faults stop, and the daemon
must find back to rest within a bounded time."""

from __future__ import annotations

import time
from pathlib import Path

from sensorlogd.daemon.control import control_socket
from tests.torture.faults import Faults
from tests.torture.ledger import Ledger, query
from tests.torture.plan import Plan
from tests.torture.rig import VERB_WITHIN_S

REST_WITHIN_S = 40.0


def run(plan: Plan, folder: Path) -> Ledger:
    """The run of this plan in an empty folder: its data directory is ``folder/data``. No process is left, whatever happens."""
    adversary = Run(plan, folder)
    try:
        adversary.all()
    finally:
        adversary.clean_up()
    return adversary.ledger


class Run(Faults):
    """One run."""

    ask_at_s = 0.0
    left = ""  # what keeps it from being at rest

    def all(self) -> None:
        self.data.mkdir()
        self.copies.mkdir()
        self.ledger.began_us = time.time_ns() // 1000
        self._old_readings()
        self._backup(wait=True)
        if self.plan.wrong_at_start_s:
            self.do_clock(self.plan.wrong_at_start_s, 4.0)
        self.watcher.start()
        self._start()
        self._until(lambda: bool(self.ledger.grown), 20.0, "stored nothing within 20 s of its first start")
        began = self.now()
        for fault in self.plan.faults:
            while self.now() < began + fault.at_s:
                self._pump()
            getattr(self, f"do_{fault.kind}")(**fault.how)
        while self.now() < began + self.plan.seconds:
            self._pump()
        self._converge()

    # ---- converging ------------------------------------------------------------------------------------------------

    def _converge(self) -> None:
        """The faults stop. Everything that is promised for good days must hold soon."""
        ends, self._later = self._later, []
        for _, end in ends:
            end()
        self._failing = []
        self.machine.heal()
        if self.process is None:
            self._start()
        self.ledger.converged_at_s = since = self.now()
        self._until(lambda: not self._verbs, VERB_WITHIN_S + 5, "")
        self._until(
            lambda: bool(self.ledger.grown) and self.ledger.grown[-1] > since + 1.0,
            20.0,
            "no new readings after the faults stopped",
        )
        damaged = [end for end in self.ledger.ends if end.in_place]
        if damaged:  # what is stored is read through once in a while: with so little of it within half a minute
            self._until(lambda: self.now() > damaged[-1].at_s + 30.0, 31.0, "")
        if damaged:
            self._do_verb("db", "rebuild-rollups")  # reads all readings: damage that nothing touched so far is met
        rested = self._rest("the faults stopped")
        if self._undo_all() and rested:
            self._rest("the mends were taken back")
        self._do_verb("db", "check")
        if (self.data / "damaged").exists():
            self._do_verb("db", "incidents")
        self._status(
            "running and writing", lambda status: (status.get("state_now"), status.get("state")) == ("running", "writing")
        )
        self._until(lambda: not self._verbs, VERB_WITHIN_S + 5, "")
        self._term()
        self._status("stopped", lambda status: status.get("state_now") == "stopped")
        self._do_verb("db", "check")
        self._until(lambda: not self._verbs, VERB_WITHIN_S, "")

    def _rest(self, after: str, within_s: float = REST_WITHIN_S) -> bool:
        reached = self._until(self._at_rest, within_s, "")
        if not reached:
            self.observe("no rest", f"{within_s:.0f} s after {after} there is left: {self.left}")
        return reached

    def _at_rest(self) -> bool:
        """No work waits, no roll-up is known to be wrong, every damaged file's salvage has ended. Asks once a second."""
        if self.now() < self.ask_at_s:
            return False
        self.ask_at_s = self.now() + 1.0
        try:
            control_socket.ask(self.data, {"do": "roll_up"}, 5.0)
        except (OSError, ValueError) as error:
            self.left = f"the daemon does not answer: {error}"
            return False
        left = query(
            self.path,
            "SELECT 'dirty minutes', count(*) FROM dirty UNION ALL SELECT 'outdated series', count(*) FROM stale"
            " UNION ALL SELECT 'work ' || kind || ' ' || state, 1 FROM work WHERE ended_us IS NULL",
        )
        kept = query(self.path, "SELECT 1 FROM work WHERE kind LIKE '%salvage%' LIMIT 1")  # then its rows tell, not the events
        counts: dict[str, int] = dict(query(self.path, "SELECT kind, count(*) FROM event GROUP BY kind"))
        salvages = counts.get("salvaged", 0) + counts.get("salvage_failed", 0)
        self.left = f"{[row for row in left if row[1]]}, {counts.get('corrupt', 0)} corrupt, {salvages} salvages ended"
        return bool(left) and not any(n for _, n in left) and (bool(kept) or salvages >= counts.get("corrupt", 0))

    def _undo_all(self) -> bool:
        """What was lost to damage with the originals of a mend cannot be taken back, nor what was made before it: that is told."""
        lost = False
        for _ in range(2):
            for identity in self._open_mends():
                self._do_verb("flag", "--undo", str(identity))
                lost = lost or "lost to damage" in self.ledger.verbs[-1].error
        if not self._open_mends():
            return True
        if lost and self.ledger.ends:
            return True
        self.observe("mend", f"mends {self._open_mends()} cannot be taken back: {self.ledger.verbs[-1].error.strip()[-200:]}")
        return False
