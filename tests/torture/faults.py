"""The faults that a plan is made of: ``do_KIND`` of ``Faults`` does the fault of this kind, and sees to its end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.torture import sabotage
from tests.torture.ledger import End, Verb, identity_of, origin, query
from tests.torture.plan import DAY_S, OLD_DAYS, OLD_READINGS
from tests.torture.rig import VERB_WITHIN_S, Rig, Sensor
from tests.torture.shim import Fault

LOCKER = """
import sqlite3, sys, time
conn = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
conn.execute("BEGIN " + sys.argv[2])
print(time.monotonic(), flush=True)
time.sleep(600)
"""

VISITOR = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None).execute(sys.argv[2]).fetchall()
"""


class Faults(Rig):
    """A rig that can be tortured."""

    # ---- ends of the daemon --------------------------------------------------------------------------------------

    def do_kill(self, down_s: float) -> None:
        self._end_and_start("kill", down_s)
        if down_s >= 1.5:
            self._at(self.now() + 1.0, self._status_while_down)

    def _status_while_down(self) -> None:
        if self.process is None:
            self._status("not running", lambda answer: answer.get("state_now") != "running")

    def do_term(self, down_s: float) -> None:
        self._end_and_start("term", down_s)

    # ---- stopping processes ----------------------------------------------------------------------------------------

    def _stop_for(self, pid: int, kind: str, for_s: float) -> None:
        os.kill(pid, signal.SIGSTOP)
        self._stopped.append(pid)
        self._cause(kind, for_s, lambda: self._continue(pid))

    def do_stop_daemon(self, for_s: float) -> None:
        if self.process is not None:
            self._stop_for(self.process.pid, "stop_daemon", for_s)

    def do_stop_aggregator(self, for_s: float) -> None:
        for pid in sabotage.aggregators(self.process.pid) if self.process is not None else []:
            self._stop_for(pid, "stop_aggregator", for_s)

    # ---- disk, locks, clock ----------------------------------------------------------------------------------------

    def _failing_for(self, kind: str, faults: list[Fault], for_s: float, free_bytes: int = -1) -> None:
        self._failing += faults
        self.machine.set(faults=self._failing, free_bytes=max(free_bytes, self.machine.free_bytes))

        def over() -> None:
            for fault in faults:
                if fault in self._failing:
                    self._failing.remove(fault)
            full = any(what == "GROW" for _, what, _ in self._failing)
            self.machine.set(faults=self._failing, free_bytes=self.machine.free_bytes if full else -1)

        self._cause(kind, for_s, over)

    def do_disk_fails(self, call: str, what: str, permille: int, for_s: float) -> None:
        self._failing_for(f"disk_fails {call} {what}", [(call, what, permille)], for_s)

    def do_disk_full(self, free_bytes: int, for_s: float) -> None:
        """A small disk: it has so much left, and no file can grow."""
        self._failing_for("disk_full", [("pwrite", "GROW", 1000), ("write", "GROW", 1000)], for_s, free_bytes)

    def do_lock(self, mode: str, for_s: float) -> None:
        """Another program holds the write lock. It ends by SIGKILL: its close would touch a file that may be another by then."""
        if not self.path.exists():
            return
        locker = subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(self.path), mode], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )  # fmt: skip
        self._lockers.append(locker)

        def over() -> None:
            locker.kill()
            locker.communicate()
            self._lockers.remove(locker)

        self._cause("lock", for_s, over)
        life = self.life

        def status() -> None:
            if locker.stdout is None or locker.stdout.closed:
                return  # it is over
            if (
                not select.select([locker.stdout], [], [], 0)[0]
                or time.monotonic() - float(locker.stdout.readline() or "inf") < 7.0
            ):
                return  # on a busy machine it came to lock the file only now
            if life is not None and life is self.life and life.ready and self._wrong_now() == "lock":
                self._status("blocked", lambda answer: answer.get("state") == "blocked")

        if for_s > 9.0:
            self._at(self.now() + 8.0, status)

    def do_visit(self, statement: str, for_s: float) -> None:
        """Another program does this in good faith, and is killed if it takes longer."""
        if not self.path.exists():
            return
        visitor = subprocess.Popen(
            [sys.executable, "-c", VISITOR, str(self.path), statement], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        self._lockers.append(visitor)

        def over() -> None:
            visitor.kill()
            visitor.wait()
            self._lockers.remove(visitor)

        self._cause("visit", for_s, over)

    def do_clock(self, by_s: int, for_s: float) -> None:
        self.machine.set(clock_s=by_s)
        self._cause("clock", for_s, lambda: self.machine.set(clock_s=0))

    def do_clock_at_start(self, by_s: int, for_s: float) -> None:
        """The clock is wrong from before the start until so long after the daemon is ready."""
        self._end_and_start("kill", 0.0, lambda: self.machine.set(clock_s=by_s))
        self._until(lambda: self.life is not None and self.life.ready, 8.0, "")
        self.do_clock(by_s, for_s)

    # ---- the file --------------------------------------------------------------------------------------------------

    def _file_fault(self, kind: str, down: str | None, act: Callable[[], tuple[int, bool] | dict[str, int] | None]) -> None:
        """``act`` changes the file; it returns (pages lost, leaves only), or the events that the new file begins with."""
        if down is not None:
            self._kill() if down == "kill" else self._term()
        if self.process is None:  # a verb may be at work on the file itself: that would be our own two hands
            self._until(lambda: not self._verbs, VERB_WITHIN_S + 5, "")
        with self.watcher.lock:
            if self.path.exists() and self.path.stat().st_size > 4096:
                before = identity_of(self.path)
                end = End(self.watcher.file, kind, self.now(), self.process is None)
                done = act()
                if isinstance(done, tuple):
                    end.pages, end.leaves_only = done
                self.watcher.file_ended(end, before, done if isinstance(done, dict) else {})
            else:
                self.ledger.skipped.append(f"{kind}: there was no file at {self.now():.1f} s")
        if down is not None:
            self._restart_at_s = self.now()

    def do_remove(self, down: str | None, side_files: bool) -> None:
        self._file_fault("remove", down, lambda: sabotage.remove(self.path, side_files=side_files))

    def do_replace(self, down: str | None, side_files: bool) -> None:
        copies = sorted(self.copies.glob("*.db"))
        if copies:
            copy = self.chance.choice(copies)
            self._file_fault("replace", down, lambda: sabotage.replace(self.path, copy, side_files=side_files))

    def do_truncate(self, down: str | None, part: float) -> None:
        self._file_fault("truncate", down, lambda: sabotage.truncate(self.path, part))

    def do_empty(self, down: str | None) -> None:
        self._file_fault("empty", down, lambda: sabotage.truncate(self.path, 0.0))

    def do_overwrite(self, down: str | None, pages: int, where: int) -> None:
        self._file_fault("overwrite", down, lambda: sabotage.overwrite(self.path, pages, where))

    # ---- reloads ---------------------------------------------------------------------------------------------------

    def _hang_up(self) -> bool:
        """SIGHUP, where the daemon already listens for it."""
        if self.process is None or self.life is None or not self.life.ready:
            return False
        self.process.send_signal(signal.SIGHUP)
        return True

    def _reload(self, sensor: Sensor, change: Callable[[], None]) -> None:
        if self.process is not None and self.life is not None and self.life.ready:
            self._end(sensor, by_signal=True)
            change()
            self._begin(sensor)
            self._write_config()
            self._hang_up()

    def do_reload(self) -> None:
        sensor = self.chance.choice(list(self.sensors.values()))

        def change() -> None:
            sensor.interval_ms = self.chance.choice((10, 30, 70))

        self._reload(sensor, change)

    def do_rename(self) -> None:
        sensor = self.chance.choice(list(self.sensors.values()))

        def change() -> None:
            sensor.was, sensor.name = sensor.name, f"{origin(sensor.name)}_{self.starts}"

        self._reload(sensor, change)

    def do_reload_bad(self) -> None:
        self._write_config(bad=True)
        life = self.life
        if life is not None and self._hang_up():
            known = life.log.read_bytes().count(b"reload: rejected")
            self._until(lambda: self.life is not life or life.log.read_bytes().count(b"reload: rejected") > known, 2.0, "")
        self._write_config()

    # ---- changing and looking after what is stored ------------------------------------------------------------------

    def _table(self, name: str, rows: list[tuple[int, float]]) -> Path:
        path = self.folder / name
        path.write_text("t,v\n" + "".join(f"{ts},{value!r}\n" for ts, value in rows))
        return path

    def _import(self, sensor: str, rows: list[tuple[int, float]], *more: str, wait: bool = False) -> None:
        path = self._table(f"{sensor}-{self.now():.3f}.csv", rows)
        file = self.watcher.file

        def imported(verb: Verb) -> None:
            if verb.code == 0:
                self.watcher.note(((sensor, ts, value) for ts, value in rows), file)

        verb = self._verb(
            "import", str(path), "--time", "t", "--time-format", "epoch_us", "--sensor", sensor, *more, then=imported
        )
        if wait:
            self._until(lambda: verb.end_s is not None, VERB_WITHIN_S, "")

    def _old_readings(self) -> None:
        self._write_config()
        step_us = OLD_DAYS * DAY_S * 1_000_000 // OLD_READINGS
        rows = [(self.ledger.began_us - (n + 1) * step_us, n / 7 + 0.1) for n in range(OLD_READINGS)]
        self.ledger.originals = dict(rows)
        self._import("old", rows, wait=True)

    def do_import(self) -> None:
        number = len(self.ledger.verbs)
        first_us = self.ledger.began_us - self.chance.randrange(2, 9) * DAY_S * 1_000_000
        self._import(f"imp{number}", [(first_us + n * 60_000_000, number + n / 1000) for n in range(500)])

    def do_import_replace(self) -> None:
        self.ledger.replaced_versions += 1
        first_us = self.ledger.began_us - 5 * DAY_S * 1_000_000
        rows = [(first_us + n * 60_000_000, n + self.ledger.replaced_versions / 1024) for n in range(500)]
        self._import("rep", rows, "--replace")

    def _mend(self, verb: str, since_days: float, until_days: float, *change: str) -> Verb:
        since, until = (
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.ledger.began_us / 1e6 - days * DAY_S))
            for days in (since_days, until_days)
        )
        return self._verb(verb, "old.v", *change, "--since", since, "--until", until, "--yes")

    def do_flag(self, since_days: float, until_days: float) -> None:
        self._mend("flag", since_days, until_days, "suspect")

    def do_recalibrate(self, since_days: float, until_days: float, scale: float) -> None:
        self._mend("recalibrate", since_days, until_days, "--scale", str(scale))

    def do_cut_mend(self, what: str, scale: float) -> None:
        """A mend of everything, and SIGKILL for the verb or for the daemon when a part of it is done."""
        known = query(self.path, "SELECT coalesce(max(id), 0) FROM mend")
        verb = self._mend("recalibrate", OLD_DAYS + 1.0, 0.0, "--scale", str(scale))
        begun = "SELECT 1 FROM mend WHERE id > ? AND readings > 0"
        for running, process, _ in self._verbs[-1:]:
            self._until(lambda: verb.end_s is not None or bool(known and query(self.path, begun, known[0][0])), 5.0, "")
            if running is verb and what == "verb":
                process.kill()
                verb.cut = True
            elif what == "daemon":
                self._end_and_start("kill", 0.0)

    def do_undo(self) -> None:
        for identity in self._open_mends()[:1]:
            self._verb("flag", "--undo", str(identity))

    def _open_mends(self) -> list[int]:
        """Newest first."""
        return [
            row[0] for row in query(self.path, "SELECT id FROM mend WHERE undone_us IS NULL AND kind = 'change' ORDER BY id DESC")
        ]

    def do_rebuild(self) -> None:
        self._verb("db", "rebuild-rollups")

    def do_compact(self) -> None:
        self._verb("db", "compact")

    def do_backup(self) -> None:
        self._backup()

    def _backup(self, *, wait: bool = False) -> None:
        verb = self._verb("backup", str(self.copies / f"{len(self.ledger.verbs):04}.db"))
        if wait:
            self._until(lambda: verb.end_s is not None, VERB_WITHIN_S, "")
