"""Recognises what a stream of bytes speaks: by checksums first, then by structure. Pure; ``cli.probe_verb`` listens.

A verdict is only as good as its evidence: frames whose checksum is right prove a protocol, lines of numbers suggest one, and
bytes that fit nothing are called unknown. Bytes with a parity bit that were read as eight data bits are recognised and
taken apart: 7E1 and 7O1 have as many bits as 8N1.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sensorlogd.config import profiles
from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.discovery import line_guesses
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat, FrameFormat, ObisFormat
from sensorlogd.drivers.serial.options import LineFormat, SerialOptions

BAUDRATES = (9600, 115200, 19200, 4800, 38400, 57600, 1200, 2400, 300)
SURE = 0.9  # no other setting need be tried
LOOKS_LIKE_TEXT = 0.97


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard at one setting of the line. ``errors``: characters with a framing or parity error."""

    baudrate: int
    data: bytes
    errors: int = 0
    parity: str = "none"
    bytesize: int = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a port may speak. ``confidence``: 0 to 1. ``keys``: the configuration of a sensor without port and line settings."""

    confidence: float
    title: str
    evidence: str
    keys: str
    heard: Heard

    def yaml(self, port: str, *, with_speed: bool = True) -> str:
        """A configuration to paste. ``with_speed``: the baud rate that was heard is a real one."""
        line = [f"port: {port}"]
        if with_speed and self.heard.baudrate != self._profile_option("baudrate", 9600):
            line.append(f"baudrate: {self.heard.baudrate}")
        if self.heard.bytesize != 8 and "bytesize:" not in self.keys and not self.keys.startswith("profile:"):
            line += [f"bytesize: {self.heard.bytesize}", f"parity: {self.heard.parity}"]
        body = "\n".join(f"    {text}" for text in [*self.keys.splitlines()[:1], *line, *self.keys.splitlines()[1:]])
        return f"sensors:\n  device:\n{body}\n"

    def _profile_option(self, key: str, default: int) -> int:
        """What the profile in ``keys`` says of an option; ``default`` if there is no profile."""
        match = re.match(r"profile: (\S+)", self.keys)
        options = profile_options().get(match[1]) if match else None
        return int(getattr(options, key, default)) if options is not None else default


def judge(heard: Heard) -> list[Candidate]:
    """The candidates, best first; empty if nothing fits."""
    if len(heard.data) < 4:
        return []
    views = [heard]
    stripped = _without_parity(heard)
    if stripped is not None:
        views.insert(0, stripped)
    found: list[Candidate] = []
    for view in views:
        found += [*_profile_candidates(view), *_nmea_candidates(view), *_modbus_candidates(view), *_line_candidates(view)]
    penalty = 1.0 - min(heard.errors / max(len(heard.data), 1) * 5, 0.9)
    ranked = [
        Candidate(round(candidate.confidence * penalty, 2), candidate.title, candidate.evidence, candidate.keys, candidate.heard)
        for candidate in found
        if candidate.confidence * penalty >= 0.3
    ]
    return sorted(ranked, key=lambda candidate: (-candidate.confidence, candidate.title))


def best(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates of all settings that were tried, best first. Each title is in it once, with its best confidence."""
    chosen: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.title not in chosen or candidate.confidence > chosen[candidate.title].confidence:
            chosen[candidate.title] = candidate
    return sorted(chosen.values(), key=lambda candidate: (-candidate.confidence, candidate.title))


def _without_parity(heard: Heard) -> Heard | None:
    """The data without parity bits, if it looks like seven bits with parity."""
    data = heard.data
    if len(data) < 12 or not any(byte & 0x80 for byte in data):
        return None
    odd = Counter(byte.bit_count() & 1 for byte in data)
    wrong = min(odd[0], odd[1])
    if wrong > len(data) // 50:
        return None
    stripped = bytes(byte & 0x7F for byte in data)
    if _printable_share(stripped) < LOOKS_LIKE_TEXT:
        return None
    return Heard(heard.baudrate, stripped, heard.errors, "odd" if odd[1] > odd[0] else "even", 7)


def _printable_share(data: bytes) -> float:
    return sum(32 <= byte < 127 or byte in b"\t\r\n\x02\x03" for byte in data) / max(len(data), 1)


# ---- what is described already -----------------------------------------------------------------------------------------


_loaded: dict[str, SerialOptions] = {}


def profile_options() -> dict[str, SerialOptions]:
    """Every shipped profile of the serial driver, loaded once."""
    if not _loaded:
        for name in profiles.available():
            try:
                config = load_text(f"sensors: {{s: {{profile: {name}, port: /dev/null}}}}", Path("/x.yaml"), options_for)
            except ConfigErrors:
                continue  # of the user's own, and broken: `check` tells
            options = config.sensors.get("s")
            if isinstance(options, SerialOptions):
                _loaded[name] = options
    return _loaded


def _profile_candidates(heard: Heard) -> list[Candidate]:
    """Every profile whose decoder reads something of the data. With a checksum few frames are enough; without, most lines must
    fit."""
    candidates = []
    for name, options in profile_options().items():
        counts: Counter[str] = Counter()
        device, options = _first_device(options, heard.data)
        decoder = decoder_of(options, lambda counter, n, _, counts=counts: counts.update({counter: n}))  # type: ignore[misc]
        assert decoder is not None
        batch = decoder.feed(heard.data, 0)
        rows = 0 if batch is None else len(batch.times_us)
        if not rows:
            continue
        bad = sum(n for counter, n in counts.items() if counter.startswith("bad_") and counter != "bad_fields")
        skipped = counts["skipped_bytes"]
        matches_baud = 0.02 if heard.baudrate == options.baudrate else 0.0
        if _has_checksum(options):
            share = rows / (rows + bad)
            noise = min(skipped / len(heard.data), 1.0)
            confidence = (0.97 if rows >= 2 else 0.85) * (0.5 + 0.5 * share) * (1 - 0.5 * noise) + matches_baud
            evidence = f"{rows} frames with the right checksum" + (f", {bad} with a wrong one" if bad else "")
        else:
            others = counts["other_lines"] + counts["comments"]
            share = rows / (rows + bad + others)
            fields = len(
                {column for column, values in (batch.values if batch else {}).items() if any(v is not None for v in values)}
            )
            if share < 0.5 or (rows < 2 and fields < 2):
                continue
            confidence = min(0.66 + 0.08 * min(rows, 3), 0.9) * share + matches_baud + 0.01 * min(fields, 5)
            evidence = f"{rows} of {rows + bad + others} lines fit, {fields} fields"
        keys = f"profile: {name}" + (f"\nformat: {{device: {json.dumps(device)}}}" if device else "")
        candidates.append(Candidate(min(confidence, 0.99), name, evidence, keys, heard))
    return candidates


def _first_device(options: SerialOptions, data: bytes) -> tuple[str, SerialOptions]:
    """Of a gateway: the device whose line comes first, and options for the lines of all its devices."""
    form = options.format
    if not isinstance(form, LineFormat) or form.identity is None:
        return "", options
    search = re.compile(form.identity).search
    found = (search(line) for line in data.decode("latin-1").splitlines())
    first = next((match[1] if match.re.groups else match[0] for match in found if match is not None), "")
    return first, options.model_copy(update={"format": form.model_copy(update={"identity": None})})


def _has_checksum(options: SerialOptions) -> bool:
    form = options.format
    if isinstance(form, FrameFormat):
        return form.checksum is not None
    return isinstance(form, (BlockFormat, ObisFormat)) or options.checksum is not None


def _nmea_candidates(heard: Heard) -> list[Candidate]:
    """NMEA 0183 or UBX, if there is a message with the right checksum."""
    from sensorlogd.drivers.nmea.stream import Messages

    counts: Counter[str] = Counter()
    messages = list(Messages(lambda name, n, _: counts.update({name: n})).feed(heard.data))
    good = len(messages)
    if not good:
        return []
    kinds = Counter("UBX" if isinstance(message, bytes) else message.split(",")[0][-3:] for message in messages)
    confidence = (0.98 if good >= 2 else 0.8) * (good / (good + counts["bad_checksum"]))
    shown = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
    fields = ", ".join(f"{name}: {{}}" for name in _nmea_fields(heard.data))
    keys = f"driver: nmea\nchannels: {{{fields}}}" if fields else "driver: nmea"
    return [Candidate(confidence, "NMEA 0183 or UBX", f"{good} messages with the right checksum: {shown}", keys, heard)]


def _nmea_fields(data: bytes) -> list[str]:
    """Which of the driver's fields the messages hold."""
    from sensorlogd.drivers.nmea.known import KNOWN

    every = ", ".join(f"{name}: {{}}" for name in KNOWN)
    config = load_text(f"sensors: {{s: {{driver: nmea, port: /dev/null, channels: {{{every}}}}}}}", Path("/x.yaml"), options_for)
    decoder = decoder_of(config.sensors["s"], lambda *_: None)
    batch = decoder.feed(data, 0) if decoder is not None else None
    return [name for name in KNOWN if batch is not None and name in batch.values]


def _modbus_candidates(heard: Heard) -> list[Candidate]:
    """Traffic between a master and its units: questions and answers whose CRC is right."""
    try:
        from sensorlogd.drivers.modbus.sniffer import Sniffer
    except ImportError:
        return []
    sniffer = Sniffer()
    frames = list(sniffer.feed(heard.data, end=True))
    answered = [(question, answer) for question, answer in frames if answer is not None and question is not None]
    if not answered or sniffer.skipped > len(heard.data) // 3:
        return []
    unit = answered[0][0].unit
    question = answered[0][0]
    address = getattr(question, "address", 0)
    function = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}.get(question.function, "holding")
    confidence = 0.97 if len(answered) >= 2 else 0.8
    keys = (
        f"driver: modbus\nlisten_only: true\nunit: {unit}\ninterval: 1s\nfunction: {function}\nchannels:\n"
        f"  value: {{address: {address}}}  # as overheard; name and scale it by the device's manual"
    )
    evidence = f"{len(answered)} questions with their answers, unit {unit}, {function} registers from {address}"
    return [Candidate(confidence, "Modbus RTU (overheard)", evidence, keys, heard)]


# ---- lines -------------------------------------------------------------------------------------------------------------


def _line_candidates(heard: Heard) -> list[Candidate]:
    found = line_guesses.guess(heard.data)
    return [] if found is None else [Candidate(found.confidence, found.title, found.evidence, found.keys, heard)]


def worth_waiting(heard: Heard, candidates: list[Candidate]) -> bool:
    """Whether it looks like text or like a known protocol, but is too short to be sure."""
    if not heard.data or heard.errors or (candidates and candidates[0].confidence >= SURE):
        return False
    return (
        line_guesses.lines_heard(heard.data) < line_guesses.ENOUGH_LINES if line_guesses.is_text(heard.data) else bool(candidates)
    )
