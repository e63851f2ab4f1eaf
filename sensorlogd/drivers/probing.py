"""What does this stream of bytes speak? Judged by checksums first, then by structure. Pure; ``cli.probe_verb`` listens.

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
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.serial.frame_options import BlockFormat, FrameFormat, ObisFormat
from sensorlogd.drivers.serial.options import SerialOptions

BAUDRATES = (9600, 115200, 19200, 4800, 38400, 57600, 1200, 2400, 300)
LOOKS_LIKE_TEXT = 0.97
_NUMBER = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_PAIR = re.compile(r"([A-Za-z_][\w.-]*)\s*([=:])\s*([+-]?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Heard:
    """What came at one setting of the line. ``errors``: characters with a framing or parity error."""

    baudrate: int
    data: bytes
    errors: int = 0
    parity: str = "none"
    bytesize: int = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """``confidence``: 0 to 1. ``keys``: of a sensor, port and line settings left out."""

    confidence: float
    title: str
    evidence: str
    keys: str
    heard: Heard

    def yaml(self, port: str, *, with_speed: bool = True) -> str:
        """A configuration to paste. ``with_speed``: the baud rate that was heard is real."""
        line = [f"port: {port}"]
        if with_speed and self.heard.baudrate != self._said("baudrate", 9600):
            line.append(f"baudrate: {self.heard.baudrate}")
        if self.heard.bytesize != 8 and "bytesize:" not in self.keys and not self.keys.startswith("profile:"):
            line += [f"bytesize: {self.heard.bytesize}", f"parity: {self.heard.parity}"]
        body = "\n".join(f"    {one}" for one in [*self.keys.splitlines()[:1], *line, *self.keys.splitlines()[1:]])
        return f"sensors:\n  device:\n{body}\n"

    def _said(self, key: str, default: int) -> int:
        match = re.match(r"profile: (\S+)", self.keys)
        options = profile_options().get(match[1]) if match else None
        return int(getattr(options, key, default)) if options is not None else default


def judge(heard: Heard) -> list[Candidate]:
    """Candidates, best first; empty where nothing fits."""
    if len(heard.data) < 4:
        return []
    views = [heard]
    stripped = _without_parity(heard)
    if stripped is not None:
        views.insert(0, stripped)
    found: list[Candidate] = []
    for view in views:
        found += [*_by_profiles(view), *_nmea(view), *_modbus(view), *_lines(view)]
    penalty = 1.0 - min(heard.errors / max(len(heard.data), 1) * 5, 0.9)
    ranked = [
        Candidate(round(one.confidence * penalty, 2), one.title, one.evidence, one.keys, one.heard)
        for one in found
        if one.confidence * penalty >= 0.3
    ]
    return sorted(ranked, key=lambda one: (-one.confidence, one.title))


def best(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Over all settings that were tried: each title once, where it fitted best; best first."""
    chosen: dict[str, Candidate] = {}
    for one in candidates:
        if one.title not in chosen or one.confidence > chosen[one.title].confidence:
            chosen[one.title] = one
    return sorted(chosen.values(), key=lambda one: (-one.confidence, one.title))


def _without_parity(heard: Heard) -> Heard | None:
    """Seven bits and parity, if that is what eight bits look like."""
    data = heard.data
    if len(data) < 12 or not any(byte & 0x80 for byte in data):
        return None
    odd = Counter(byte.bit_count() & 1 for byte in data)
    wrong = min(odd[0], odd[1])
    if wrong > len(data) // 50:
        return None
    stripped = bytes(byte & 0x7F for byte in data)
    if _printable(stripped) < LOOKS_LIKE_TEXT:
        return None
    return Heard(heard.baudrate, stripped, heard.errors, "odd" if odd[1] > odd[0] else "even", 7)


def _printable(data: bytes) -> float:
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


def _by_profiles(heard: Heard) -> list[Candidate]:
    found = []
    for name, options in profile_options().items():
        counts: Counter[str] = Counter()
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
        found.append(Candidate(min(confidence, 0.99), name, evidence, f"profile: {name}", heard))
    return found


def _has_checksum(options: SerialOptions) -> bool:
    form = options.format
    if isinstance(form, FrameFormat):
        return form.checksum is not None
    return isinstance(form, (BlockFormat, ObisFormat)) or options.checksum is not None


def _nmea(heard: Heard) -> list[Candidate]:
    from sensorlogd.drivers.nmea.stream import Messages

    counts: Counter[str] = Counter()
    messages = list(Messages(lambda name, n, _: counts.update({name: n})).feed(heard.data))
    good = len(messages)
    if not good:
        return []
    kinds = Counter("UBX" if isinstance(one, bytes) else one.split(",")[0][-3:] for one in messages)
    confidence = (0.98 if good >= 2 else 0.8) * (good / (good + counts["bad_checksum"]))
    shown = ", ".join(f"{n} {kind}" for kind, n in kinds.most_common(4))
    fields = ", ".join(f"{name}: {{}}" for name in _nmea_fields(heard.data))
    keys = f"driver: nmea\nchannels: {{{fields}}}" if fields else "driver: nmea"
    return [Candidate(confidence, "NMEA 0183 or UBX", f"{good} messages with the right checksum: {shown}", keys, heard)]


def _nmea_fields(data: bytes) -> list[str]:
    """Which of the fields that the driver knows are in there."""
    from sensorlogd.drivers.nmea.known import KNOWN

    every = ", ".join(f"{name}: {{}}" for name in KNOWN)
    config = load_text(f"sensors: {{s: {{driver: nmea, port: /dev/null, channels: {{{every}}}}}}}", Path("/x.yaml"), options_for)
    decoder = decoder_of(config.sensors["s"], lambda *_: None)
    batch = decoder.feed(data, 0) if decoder is not None else None
    return [name for name in KNOWN if batch is not None and name in batch.values]


def _modbus(heard: Heard) -> list[Candidate]:
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
    unit = answered[0][0].dev_id
    question = answered[0][0]
    address = getattr(question, "address", 0)
    function = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}.get(question.function_code, "holding")
    confidence = 0.97 if len(answered) >= 2 else 0.8
    keys = (
        f"driver: modbus\nlisten_only: true\nunit: {unit}\ninterval: 1s\nfunction: {function}\nchannels:\n"
        f"  value: {{address: {address}}}  # as overheard; name and scale it by the device's manual"
    )
    evidence = f"{len(answered)} questions with their answers, unit {unit}, {function} registers from {address}"
    return [Candidate(confidence, "Modbus RTU (overheard)", evidence, keys, heard)]


# ---- lines -------------------------------------------------------------------------------------------------------------


def _lines(heard: Heard) -> list[Candidate]:
    if _printable(heard.data) < LOOKS_LIKE_TEXT:
        return []
    text = heard.data.decode("ascii", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in text.split("\n")[1:-1] if line.strip()]  # the first and the last may be cut
    if len(lines) < 3:
        return []
    for guess in (_json, _pairs, _columns):
        found = guess(lines, heard)
        if found is not None:
            return [found]
    return [
        Candidate(
            0.35, "lines of text", f"{len(lines)} lines, e.g. {lines[0][:60]!r}",
            "driver: serial\nformat: {type: regex, pattern: '(?P<value>-?[0-9.]+)'}  # name each number by a group", heard,
        )
    ]  # fmt: skip


def _json(lines: list[str], heard: Heard) -> Candidate | None:
    fields: Counter[str] = Counter()
    good = 0
    for line in lines:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            good += 1
            fields.update(key for key, value in data.items() if isinstance(value, (int, float)) and _is_name(key))
    if good < 0.8 * len(lines) or not fields:
        return None
    channels = ", ".join(f"{key}: {{}}" for key in fields)
    return Candidate(
        0.9 * good / len(lines), "JSON lines", f"{good} of {len(lines)} lines are JSON objects",
        f"driver: serial\nformat: {{type: json}}\nchannels: {{{channels}}}", heard,
    )  # fmt: skip


def _pairs(lines: list[str], heard: Heard) -> Candidate | None:
    found = [_PAIR.findall(line) for line in lines]
    good = [pairs for pairs in found if pairs]
    if len(good) < 0.8 * len(lines):
        return None
    equals = Counter(pair[1] for pairs in good for pair in pairs).most_common(1)[0][0]
    keys = [key for key, n in Counter(pair[0] for pairs in good for pair in pairs).items() if n >= len(good) // 2]
    keys = [key for key in keys if _is_name(key)]
    if not keys:
        return None
    separator = next((one for one in (";", ",", "whitespace") if one == "whitespace" or one in lines[0]), "whitespace")
    channels = ", ".join(f"{key}: {{}}" for key in keys)
    return Candidate(
        0.85 * len(good) / len(lines), "lines of key and value", f"{len(good)} of {len(lines)} lines hold {', '.join(keys[:6])}",
        f'driver: serial\nformat: {{type: keyvalue, separator: "{separator}", equals: "{equals}"}}\nchannels: {{{channels}}}', heard,
    )  # fmt: skip


def _columns(lines: list[str], heard: Heard) -> Candidate | None:
    best_found: tuple[float, str, int, list[bool]] | None = None
    for separator in (",", ";", "\t", "whitespace"):
        rows = [line.split(None if separator == "whitespace" else separator) for line in lines]
        width, count = Counter(map(len, rows)).most_common(1)[0]
        if width < 2 and separator != "whitespace":
            continue
        usual = [row for row in rows if len(row) == width]
        numeric = [all(_NUMBER.fullmatch(row[at]) for row in usual) for at in range(width)]
        share = count / len(rows) * (sum(numeric) / width)
        if any(numeric) and (best_found is None or share > best_found[0]):
            best_found = (share, separator, width, numeric)
    if best_found is None or best_found[0] < 0.4:
        return None
    share, separator, width, numeric = best_found
    names = ", ".join(f"value{at}" if is_number else "null" for at, is_number in enumerate(numeric, 1))
    shown = {"whitespace": "whitespace", "\t": "\\t"}.get(separator, separator)
    extra = "" if separator == "," else f', separator: "{shown}"'
    return Candidate(
        (0.5 if width > 1 else 0.2) + 0.35 * share, "columns of numbers", f"{len(lines)} lines of {width} fields, {sum(numeric)} of them numbers",
        f"driver: serial\nformat: {{type: csv, fields: [{names}]{extra}}}  # name the fields", heard,
    )  # fmt: skip


def _is_name(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text))
