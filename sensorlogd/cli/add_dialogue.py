"""Asks the questions of ``add``: which port, which of several protocols, which names. Options answer them beforehand."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sensorlogd.cli import exits
from sensorlogd.cli.common import fail
from sensorlogd.cli.live_values import LiveSensor
from sensorlogd.cli.questions import Dialogue, missing
from sensorlogd.cli.sensor_draft import Channel, Draft
from sensorlogd.config.loader import ConfigErrors
from sensorlogd.config.models import NAME
from sensorlogd.drivers.discovery.probing import Candidate
from sensorlogd.drivers.ports import PortInfo
from sensorlogd.notation import numbers

CLEAR = 0.25  # the best candidate is so much better than the next that nobody need be asked
MAX_CHANNELS_ASKED = 4  # with more channels of a known device, their names are accepted or asked for all together


def port_of(dialogue: Dialogue, present: Sequence[PortInfo], used: Mapping[str, str]) -> PortInfo:
    """Choose among the ports that are present. ``used``: device -> the sensor that reads it already. Exits if none is free."""
    free = [port for port in present if port.device not in used]
    if not free:
        if present:
            read_already = ", ".join(f"{port.device} ({used[port.device]})" for port in present)
            fail(
                f"every port that is there is read already: {read_already}; plug the new device in, or name its port",
                exits.NO_DATA,
            )
        fail("no serial port is there: plug the device in (is the cable a data cable? see 'dmesg | tail')", exits.NO_DATA)
    if len(free) == 1:
        dialogue.say(f"Found {_port_text(free[0])}")
        return free[0]
    if not dialogue.possible:
        missing(f"name the port, one of {', '.join(port.device for port in free)}")
    dialogue.say("There are several ports:")
    return free[dialogue.choose("Which one", [_port_text(port) for port in free])]


def _port_text(port: PortInfo) -> str:
    held = f", used by {port.held_by}" if port.held_by else ""
    return f"{port.device}{f': {port.description}' if port.description else ''}{held}"


def candidate_of(dialogue: Dialogue, ranked: Sequence[Candidate], take: int | None) -> Candidate:
    """Choose the candidate that fits; asks if that is not clear. Exits for a ``take`` beyond their number."""
    if take is not None:
        if take > len(ranked):
            fail(f"--take {take}: only {len(ranked)} fit{'s' if len(ranked) == 1 else ''}", exits.USAGE)
        return ranked[take - 1]
    lines = [f"{candidate.title}: {candidate.confidence:.0%} ({candidate.evidence})" for candidate in ranked]
    first = ranked[0]
    if len(ranked) == 1 or first.confidence - ranked[1].confidence >= CLEAR or dialogue.yes:
        dialogue.say(f"It speaks {lines[0]}")
        for number, line in enumerate(lines[1:], 2):
            dialogue.say(f"  or {line}: --take {number}")
        return first
    if not dialogue.possible:
        for number, line in enumerate(lines, 1):
            dialogue.say(f"  {number}) {line}")
        missing("several fit; take one with --take NUMBER, or the first with --yes")
    dialogue.say("Several fit:")
    return ranked[dialogue.choose("Which one", lines)]


# ---- names -------------------------------------------------------------------------------------------------------------


def use_options(draft: Draft, names: Sequence[str], units: Sequence[str], without: Sequence[str]) -> None:
    """Apply --channel OLD=NEW, --unit CHANNEL=UNIT, --without CHANNEL to the draft. Exits for values that are wrong."""
    for text in names:
        old, _, new = text.partition("=")
        channel = _find_channel(draft, "--channel", text, old)
        wrong = _wrong_name(draft, channel, new)
        if wrong is not None:
            fail(f"--channel {text}: {wrong}", exits.USAGE)
        channel.name = new
    for text in units:
        name, equals, unit = text.partition("=")
        channel = _find_channel(draft, "--unit", text, name)
        if not equals:
            fail(f"--unit {text}: write --unit {channel.name}=UNIT, e.g. --unit {channel.name}=°C", exits.USAGE)
        wrong = _set_name_and_unit(draft, channel, channel.name, unit)
        if wrong is not None:
            fail(f"--unit {text}: {wrong}", exits.USAGE)
    for text in without:
        _find_channel(draft, "--without", text, text).name = ""
    if not any(channel.name for channel in draft.channels):
        fail("nothing would be left to log; leave a --without out", exits.USAGE)


def _find_channel(draft: Draft, option: str, text: str, name: str) -> Channel:
    """The channel of the draft by one of its names. Exits if there is none."""
    found = draft.channel(name)
    if found is None:
        fail(
            f"{option} {text}: it has no value {name!r}; there are {', '.join(channel.source for channel in draft.channels)}",
            exits.USAGE,
        )
    return found


def _wrong_name(draft: Draft, channel: Channel, name: str) -> str | None:
    """Why the channel cannot have this name; None if it can."""
    if not NAME.fullmatch(name):
        return f"{name!r} is not a name; use letters, digits, '_' and '-', no blanks or dots, e.g. temperature"
    if any(other.name == name for other in draft.channels if other is not channel):
        return f"{name!r} is the name of another value; choose another"
    return None


def _set_name_and_unit(draft: Draft, channel: Channel, name: str, unit: str | None) -> str | None:
    """Give the channel a name and unit. Returns what is wrong with them, and leaves it unchanged then; else None."""
    before = (channel.name, channel.unit)
    channel.name, channel.unit = name, channel.unit if unit is None else unit
    try:
        draft.options()
    except ConfigErrors as errors:
        channel.name, channel.unit = before
        return errors.errors[0].problem
    return None


def look_at_name(dialogue: Dialogue, given: str | None, problem: Callable[[str], str | None]) -> None:
    """Check the given name before anything takes time. Exits if it is not possible, or if there is none and nobody to ask."""
    if given is not None:
        wrong = problem(given)
        if wrong is not None:
            fail(f"--name {given}: {wrong}", exits.USAGE)
    elif not (dialogue.possible or dialogue.yes):
        missing("give it a name with --name NAME, e.g. --name greenhouse, or --yes takes one that is suggested")


def sensor_name(dialogue: Dialogue, suggestion: str, problem: Callable[[str], str | None]) -> str:
    """Ask for the sensor's name. ``problem``: name -> why it is not possible, or None. Raises Stopped."""
    return dialogue.ask("A name for it", suggestion, problem) if dialogue.possible else suggestion


def channel_names(dialogue: Dialogue, draft: Draft, values: Mapping[str, float | None], settled: Collection[str]) -> None:
    """Ask for names and units of the channels that no option has ``settled``."""
    unnamed = [channel for channel in draft.channels if channel.name and channel.source not in settled]
    generic = [channel for channel in unnamed if channel.is_generic()]
    if not dialogue.possible:
        if generic and not dialogue.yes:
            named = " ".join(f"--channel {channel.source}=NAME" for channel in generic[:3])
            missing(f"{named}{' ...' if len(generic) > 3 else ''} names its values, or --yes keeps {generic[0].source}")
        return
    if not generic:
        listed = ", ".join(channel.name for channel in unnamed)
        if not unnamed or dialogue.agreed(
            f"Keep the names {listed}?" if len(unnamed) <= MAX_CHANNELS_ASKED else f"Keep these {len(unnamed)} names?"
        ):
            return
    dialogue.say("Name and unit of each value. Enter keeps it, a minus sign leaves it out.")
    for channel in unnamed:
        _ask_channel(dialogue, draft, channel, values.get(channel.source), first=channel is unnamed[0])
    while not any(channel.name for channel in draft.channels):
        dialogue.say("  Something must be left to log.")
        unnamed[0].name = unnamed[0].source
        _ask_channel(dialogue, draft, unnamed[0], values.get(unnamed[0].source), first=False)


def _ask_channel(dialogue: Dialogue, draft: Draft, channel: Channel, value: float | None, *, first: bool) -> None:
    def check(answer: str) -> str | None:
        if answer == "-":
            channel.name = ""
            return None
        name, _, unit = answer.partition(" ")
        return _wrong_name(draft, channel, name) or _set_name_and_unit(draft, channel, name, unit.strip() or None)

    shown = value_text(value, channel.shown_unit())
    example = " (e.g. temperature °C)" if first and channel.is_generic() else ""
    dialogue.ask(f"  {channel.source} = {shown}{example}", channel.name, check)


# ---- live values -------------------------------------------------------------------------------------------------------


def value_text(value: float | None, unit: str) -> str:
    text = numbers.text(value, "-") if value is None or math.isfinite(value) else "-"
    return f"{text} {unit}".rstrip()


def watch(dialogue: Dialogue, draft: Draft, seconds: float) -> dict[str, float | None]:
    """Show values as they come, until Enter, else until each channel has a value or the time is over. Returns the newest by the
    device's own names. Raises DriverError."""
    with LiveSensor(draft.options(), draft.base) as live, dialogue.unseen_keys():
        dialogue.say("What it says now (Enter goes on):" if dialogue.possible else "What it says now:")
        painter = _Painter(dialogue, draft)
        end, enough = time.monotonic() + seconds, False
        while time.monotonic() < end or (dialogue.possible and not enough):
            if live.next(0.2):
                painter.paint(live.latest)
            enough = enough or (
                dialogue.entered()
                if dialogue.possible
                else all(channel.name in live.latest for channel in draft.channels if channel.name)
            )
            if enough and live.latest:  # after an early Enter still wait for a first value
                break
        painter.end(live.latest)
        if dialogue.possible:
            dialogue.say()
        return {channel.source: live.latest[channel.name] for channel in draft.channels if channel.name in live.latest}


class _Painter:
    """Paints lines; on a terminal that can move the cursor each paint replaces the one before."""

    def __init__(self, dialogue: Dialogue, draft: Draft) -> None:
        self._dialogue, self._draft = dialogue, draft
        self._moves = dialogue.possible and os.environ.get("TERM", "dumb") != "dumb"
        self._painted = 0

    def paint(self, values: Mapping[str, float | None]) -> None:
        if not self._moves and self._painted:
            return
        up = f"\x1b[{self._painted}A" if self._painted else ""
        lines = table(self._draft, values)
        ends = "\x1b[K" if self._moves else ""
        sys.stderr.write(up + "".join(f"{line}{ends}\n" for line in lines))
        sys.stderr.flush()
        self._painted = len(lines)

    def end(self, values: Mapping[str, Any]) -> None:
        if not values:
            self._dialogue.say("  nothing has come")
        elif not self._painted:
            self.paint(values)


def table(draft: Draft, values: Mapping[str, float | None]) -> list[str]:
    """A line for each value: numbers aligned on the right, units after them."""
    channels = [channel for channel in draft.channels if channel.name]
    texts = {channel.name: numbers.text(values.get(channel.name), "-") for channel in channels}
    width, room = max(len(channel.name) for channel in channels), max(map(len, texts.values()))
    return [f"  {channel.name:<{width}}  {texts[channel.name]:>{room}} {channel.shown_unit()}".rstrip() for channel in channels]
