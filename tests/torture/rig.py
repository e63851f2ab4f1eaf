"""What a run stands on: one loop, one daemon at a time, verbs beside it, and a ledger of all of them.

``_pump`` does what is due: ends of faults, ends of verbs, the daemon's own end. Whoever waits for anything pumps meanwhile.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture import sabotage
from tests.torture.ledger import FIRST, Cause, Ledger, Life, Segment, Verb, Watcher, origin
from tests.torture.plan import Plan
from tests.torture.shim import Fault, Machine

PROJECT = Path(__file__).parents[2]
STOP_WITHIN_S = 15.0
VERB_WITHIN_S = 60.0


@dataclass(slots=True)
class Sensor:
    name: str
    interval_ms: int
    start: int = 0
    was: str | None = None
    segment: Segment | None = None


class Rig:
    """A folder, a machine that can fail, a daemon, a watcher. For one thread; ``clean_up`` at the end, whatever happened."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder, self.data = plan, folder, folder / "data"
        self.path = self.data / "sensorlogd.db"
        self.config = folder / "sensorlogd.yaml"
        self.copies = folder / "copies"
        self.began = time.monotonic()
        self.ledger = Ledger(plan)
        self.watcher = Watcher(self.path, self.ledger, self.began)
        self.machine = Machine(folder / "machine.plan", self.data, plan.seed)
        self.chance = random.Random(f"run {plan.seed}")
        self.sensors = {f"m{n}": Sensor(f"m{n}", interval) for n, interval in enumerate(plan.intervals_ms)}
        self.starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.life: Life | None = None
        self.down: Cause | None = None
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._verbs: list[tuple[Verb, subprocess.Popen[bytes], Callable[[Verb], None]]] = []
        self._failing: list[Fault] = []
        self._lockers: list[subprocess.Popen[bytes]] = []
        self._stopped: list[int] = []
        self._restart_at_s: float | None = None

    def now(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.began

    # ---- the loop --------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        now = self.now()
        for due in [entry for entry in self._later if entry[0] <= now]:
            self._later.remove(due)
            due[1]()
        for running in self._verbs[:]:
            self._look_at_verb(*running)
        self._look_at_daemon()
        time.sleep(0.01)

    def _until(self, condition: Callable[[], bool], seconds: float, broken: str) -> bool:
        """Pump until the condition holds; else note what promise is ``broken``."""
        end = self.now() + seconds
        while not condition():
            if self.now() > end:
                if broken:
                    self.observe("not in time", broken)
                return False
            self._pump()
        return True

    def _at(self, at_s: float, do: Callable[[], None]) -> None:
        self._later.append((at_s, do))

    def observe(self, kind: str, what: str) -> None:
        self.ledger.observed.append((kind, f"{what} (at {self.now():.1f} s)"))

    def _cause(self, kind: str, for_s: float, over: Callable[[], None]) -> Cause:
        """Something is wrong from now on and for so long; ``over`` ends it."""
        cause = Cause(kind, self.now())
        self.ledger.causes.append(cause)

        def end() -> None:
            over()
            cause.end_s = self.now()

        self._at(self.now() + for_s, end)
        return cause

    # ---- the daemon ------------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        return os.environ | self.machine.environment() | {"TMPDIR": str(self.folder), "TZ": "UTC"}

    def _write_config(self, *, bad: bool = False) -> None:
        sensors: dict[str, Any] = {}
        for sensor in self.sensors.values():
            sensors[sensor.name] = {
                "driver": "simulated", "interval": f"{sensor.interval_ms}ms", "heartbeat": "1h",
                "channels": {"n": {"kind": "counter", "signal": {"counter": {"start": sensor.start, "step": 1}}}},
            } | ({"was": sensor.was} if sensor.was else {})  # fmt: skip
        if bad:
            sensors["broken"] = {"driver": "simulated", "intervall": "1s"}
        whole: dict[str, Any] = {"daemon": {"data_dir": str(self.data)}, "storage": self.plan.storage, "sensors": sensors}
        if self.plan.keep_days is not None:
            whole["retention"] = {"readings": f"{self.plan.keep_days}d"}
        part = self.config.with_suffix(".new")
        part.write_text(json.dumps(whole, indent=1))
        part.replace(self.config)

    def _begin(self, sensor: Sensor) -> None:
        """The sensor's counter begins anew, at a number that was never used."""
        self.starts += 1
        sensor.start = self.starts * FIRST
        sensor.segment = Segment(origin(sensor.name), sensor.start, sensor.interval_ms, self.now())
        self.ledger.segments.append(sensor.segment)

    def _end(self, sensor: Sensor, *, by_signal: bool) -> None:
        if sensor.segment is not None and sensor.segment.end_s is None:
            sensor.segment.end_s = self.now()
            sensor.segment.end_us = time.time_ns() // 1000 if by_signal else None

    def _start(self) -> None:
        for sensor in self.sensors.values():
            self._end(sensor, by_signal=False)
            self._begin(sensor)
        self._write_config()
        self._restart_at_s = None
        log = self.folder / f"daemon-{len(self.ledger.lives) + 1}.log"
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sensorlogd", "run", "-c", str(self.config), "--no-web"],
                cwd=PROJECT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self.life = Life(self.process.pid, log, self.now())
        self.ledger.lives.append(self.life)
        if self.down is not None:
            self.down.end_s = self.now()
            self.down = None

    def _look_at_daemon(self) -> None:
        if self.process is not None and self.life is not None:
            if not self.life.ready:
                self.life.ready = b"started: " in self.life.log.read_bytes()
            if self.process.poll() is not None:
                self._ended(None)
                self._restart_at_s = self.now() + 1.0
        if self._restart_at_s is not None and self.now() >= self._restart_at_s:
            self._start()

    def _ended(self, asked: str | None) -> None:
        assert self.process is not None
        assert self.life is not None
        self.life.end_s, self.life.code, self.life.asked = self.now(), self.process.wait(), asked
        self.process = self.life = None
        for sensor in self.sensors.values():
            self._end(sensor, by_signal=False)
        self.down = Cause("down", self.now())
        self.ledger.causes.append(self.down)

    def _kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self._ended("kill")

    def _term(self) -> None:
        """SIGTERM, and its end within the time that is promised. A stopped daemon is let go on, a stopped aggregator is not."""
        if self.process is None or self.life is None:
            return
        process, life = self.process, self.life
        self._continue(process.pid)
        life.ready = life.ready or b"started: " in life.log.read_bytes()
        for sensor in self.sensors.values():
            self._end(sensor, by_signal=life.ready)
        began = self.now()
        ending = Cause("ending", began)
        self.ledger.causes.append(ending)
        process.terminate()
        self.process = None  # so that the pump does not take it for an end by itself
        self._restart_at_s = None  # nor starts the next one beside it
        while process.poll() is None and self.now() < began + STOP_WITHIN_S + 2.0:
            self._pump()
        if process.poll() is None:
            self.observe("SIGTERM", f"pid {process.pid} did not end within {STOP_WITHIN_S:.0f} s ({self._wrong_now()})")
            process.kill()
        self.process = process
        self._ended("term")
        ending.end_s = self.now()
        life.took_s = ending.end_s - began

    def _wrong_now(self) -> str:
        return ", ".join(cause.kind for cause in self.ledger.causes if cause.end_s is None) or "nothing wrong"

    def _end_and_start(self, how: str, down_s: float, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._kill() if how == "kill" else self._term()
        meanwhile()
        self._restart_at_s = self.now() + down_s

    def _continue(self, pid: int) -> None:
        if pid in self._stopped:
            self._stopped.remove(pid)
            if sabotage.alive(pid):
                os.kill(pid, signal.SIGCONT)

    # ---- verbs -----------------------------------------------------------------------------------------------------

    def _verb(self, *arguments: str, then: Callable[[Verb], None] = lambda verb: None) -> Verb:
        verb = Verb(arguments, self.now(), out=self.folder / f"verb-{len(self.ledger.verbs)}.out")
        self.ledger.verbs.append(verb)
        with verb.out.open("wb") as out, verb.out.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "sensorlogd", *arguments, "-c", str(self.config)],
                cwd=PROJECT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
            )  # fmt: skip
        self._verbs.append((verb, process, then))
        return verb

    def _look_at_verb(self, verb: Verb, process: subprocess.Popen[bytes], then: Callable[[Verb], None]) -> None:
        late = self.now() > verb.begin_s + VERB_WITHIN_S
        if process.poll() is None and not late:
            return
        if process.poll() is None:
            process.kill()
        process.wait()
        verb.code, verb.end_s = None if late and process.returncode == -signal.SIGKILL else process.returncode, self.now()
        verb.error = verb.out.with_suffix(".err").read_text(errors="replace")
        self._verbs.remove((verb, process, then))
        then(verb)

    def _do_verb(self, *arguments: str) -> Verb:
        """Run a verb to its end, pumping."""
        verb = self._verb(*arguments)
        self._until(lambda: verb.end_s is not None, VERB_WITHIN_S + 5, "")
        return verb

    def _status(self, wanted: str, holds: Callable[[dict[str, Any]], bool]) -> None:
        """``status`` must say what is so, unless things changed while it looked."""
        before = (len(self.ledger.lives), len(self.ledger.causes), [cause.end_s for cause in self.ledger.causes])

        def judge(verb: Verb) -> None:
            now = (len(self.ledger.lives), len(self.ledger.causes), [cause.end_s for cause in self.ledger.causes])
            try:
                status = json.loads(verb.out.read_bytes())["daemon"]
            except (ValueError, KeyError):
                return  # its exit status and its words are judged as those of any verb
            if now == before and not holds(status):
                said = {key: status.get(key) for key in ("state_now", "state", "state_reason")}
                self.observe("status", f"status says {said}, and it is {wanted}")

        self._verb("status", "--format", "json", then=judge)

    def clean_up(self) -> None:
        """End what runs, by its number; whatever a daemon leaves running is told and ended, too."""
        self.watcher.stop()
        for pid in self._stopped[:]:
            self._continue(pid)
        for process in [*self._lockers, *(process for _, process, _ in self._verbs), *([self.process] if self.process else [])]:
            process.kill()
            process.communicate()
        sabotage.await_sessions_end([life.pid for life in self.ledger.lives], self.observe)
        self.machine.close()
