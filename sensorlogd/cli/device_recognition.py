"""Listens to a port at different settings until it is clear what speaks there; for ``probe`` and ``add``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sensorlogd.drivers.discovery import probing
from sensorlogd.drivers.discovery.listening import PortListener
from sensorlogd.drivers.discovery.probing import Candidate, Heard

PATIENCE = 5  # listen this many times as long if text comes slowly

Show = Callable[[str], None]


@dataclass(slots=True)
class Findings:
    """What was found. ``ranked``: the candidates, best first. ``has_speed``: the baud rates of this port are real."""

    ranked: list[Candidate] = field(default_factory=list)
    heard_bytes: int = 0
    has_speed: bool = True


def hear(port: str, baudrates: Sequence[int], seconds: float, *, active: bool, show: Show) -> Findings:
    """Open ``port``, listen ``seconds`` at each rate, and ask if ``active`` and nothing is sure. Raises DriverError."""
    findings = Findings()
    candidates_found: list[Candidate] = []
    with PortListener(port) as line:
        for heard in _each_setting(line, baudrates or probing.BAUDRATES, seconds):
            findings.heard_bytes += len(heard.data)
            candidates = probing.judge(heard)
            candidates_found += candidates
            show(_describe(line, heard, candidates))
            if line.one_setting or (line.is_pty and heard.data) or (candidates and candidates[0].confidence >= probing.SURE):
                break
        if active and not any(candidate.confidence >= probing.SURE for candidate in candidates_found):
            candidates_found += _ask_device(line, show)
        findings.has_speed = not (line.is_pty or line.one_setting)
    findings.ranked = probing.best(candidates_found)
    return findings


def _each_setting(line: PortListener, baudrates: Sequence[int], seconds: float) -> Iterator[Heard]:
    """What is heard at each baud rate, and with even parity where bytes came that do not fit the frame."""
    for baudrate in baudrates:
        line.set(baudrate)
        heard = _patiently(line, Heard(baudrate, *line.listen(seconds)), seconds)
        yield heard
        if heard.data and heard.errors > len(heard.data) // 20:  # a parity bit more than eight data bits: Modbus and M-Bus lines
            line.set(baudrate, parity="even")
            data, errors = line.listen(seconds)
            yield Heard(baudrate, data, errors, "even", 8)


def _patiently(line: PortListener, heard: Heard, seconds: float) -> Heard:
    """Listen longer if that is worth it: at a line a second, some seconds give too few lines."""
    step = min(max(seconds / 3, 0.2), 1.0)
    for _ in range(int((PATIENCE - 1) * seconds / step)):
        if not probing.worth_waiting(heard, probing.judge(heard)):
            break
        data, errors = line.listen(step)
        heard = Heard(heard.baudrate, heard.data + data, heard.errors + errors)
    return heard


def _describe(line: PortListener, heard: Heard, candidates: Sequence[Candidate]) -> str:
    setting = "as it comes" if line.one_setting else f"{heard.baudrate} baud"
    errors = f", {heard.errors} framing errors" if heard.errors else ""
    best = f": {candidates[0].title} ({candidates[0].confidence:.0%})" if candidates else ""
    return f"{setting}: {len(heard.data)} bytes{errors}{best}"


def _ask_device(line: Any, show: Show) -> list[Candidate]:
    from sensorlogd.drivers.discovery.asking import ask

    for title, candidate in ask(line):
        show(f"asked: {title}{'' if candidate is None else ' - it answers'}")
        if candidate is not None:
            return [candidate]
    return []
