"""Drafts a sensor that is about to be configured: what was found out, the names that people give it, and the YAML for both."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sensorlogd.config import profiles
from sensorlogd.config.loader import load_text
from sensorlogd.config.models import SensorOptions
from sensorlogd.drivers.discovery.probing import Candidate
from sensorlogd.drivers.registry import options_for

GENERIC = re.compile(r"value\d*|field\d*")  # a name without meaning: a place in a line
_OF_KIND = {"NMEA 0183 or UBX": "gps", "Modbus RTU": "modbus"}
_MEANINGLESS = {
    "usb",
    "serial",
    "uart",
    "bridge",
    "controller",
    "converter",
    "to",
    "device",
    "port",
    "tty",
    "n",
    "a",
    "if00",
    "port0",
}


@dataclass(slots=True)
class Channel:
    """A channel of the draft. ``source``: the device's name for it. ``name``: empty if it is not logged. ``unit``: None keeps the
    one that is known."""

    source: str
    name: str
    unit: str | None = None
    known_unit: str = ""

    def shown_unit(self) -> str:
        return self.known_unit if self.unit is None else self.unit

    def is_generic(self) -> bool:
        return self.name == self.source and GENERIC.fullmatch(self.name) is not None


@dataclass(slots=True)
class Draft:
    """The draft of a sensor. ``keys``: its keys as they were found, port included; ``base``: the folder of the configuration."""

    keys: dict[str, Any]
    title: str
    evidence: str
    base: Path
    channels: list[Channel] = field(default_factory=list)

    @classmethod
    def of(cls, candidate: Candidate, port: str, base: Path, *, with_speed: bool) -> Draft:
        """The draft for a candidate at ``port``. Raises ConfigErrors for a profile that is broken."""
        text = candidate.yaml("PORT", with_speed=with_speed)
        keys = {**yaml.safe_load(text)["sensors"]["device"], "port": port}
        draft = cls(keys, candidate.title, candidate.evidence, base)
        known = draft.options().channel_options()
        draft.channels = [Channel(name, name, None, options.unit) for name, options in known.items()]
        return draft

    def options(self, name: str = "device") -> SensorOptions:
        """The options of the sensor as drafted. Raises ConfigErrors."""
        return load_text(self.text(name), self.base / "draft.yaml", options_for).sensors[name]

    def channel(self, name: str) -> Channel | None:
        """The channel with that name: the device's or the new one; None if there is none."""
        return next((channel for channel in self.channels if name in (channel.source, channel.name)), None)

    def text(self, name: str, head: str = "") -> str:
        """The YAML file that configures the sensor as ``name``, below the comment ``head``."""
        lines = [*(f"# {line}" for line in head.splitlines()), "sensors:", f"  {_flow(name)}:"]
        for key, value in self._keys_as_named().items():
            if key == "channels" and value:
                lines += ["    channels:", *(f"      {_flow(channel)}: {_flow(options)}" for channel, options in value.items())]
            else:
                lines.append(f"    {key}: {_flow(value)}")
        return "\n".join(lines) + "\n"

    def _keys_as_named(self) -> dict[str, Any]:
        """The keys of the sensor with the names and units that were chosen; channels without a name are left out."""
        keys = copy.deepcopy(self.keys)
        if not self.channels:
            return keys
        form = keys.get("format")
        if "profile" in keys:
            channels = self._over_profile(str(keys["profile"]))
            return {**keys, "channels": channels} if channels else keys
        own = keys.pop("channels", None) or {}
        if isinstance(form, dict) and isinstance(form.get("fields"), list) and not own:
            renamed = {channel.source: channel.name or None for channel in self.channels}
            form["fields"] = [renamed.get(source, source) for source in form["fields"]]
            return {**keys, "channels": {channel.name: _unit_key(channel) for channel in self.channels if channel.name}}
        channels = {channel.name: self._entry(channel, own.get(channel.source)) for channel in self.channels if channel.name}
        return {**keys, "channels": channels}

    def _entry(self, channel: Channel, known: Mapping[str, Any] | None) -> dict[str, Any]:
        entry = dict(known or {})
        if channel.name != channel.source and self.keys.get("driver") != "modbus":
            entry.setdefault("source", channel.source)
        return entry | _unit_key(channel)

    def _over_profile(self, name: str) -> dict[str, Any]:
        """The channels that differ from the profile. A renamed channel takes along the keys that the profile has for it."""
        theirs: dict[str, Any] = {}
        if any(channel.name != channel.source for channel in self.channels):
            file = profiles.available(self.base)[name].path
            theirs = (yaml.safe_load(file.read_text("utf-8-sig")).get("sensor") or {}).get("channels") or {}
        found: dict[str, Any] = {}
        for channel in self.channels:
            if channel.name == channel.source:
                found |= {channel.name: _unit_key(channel)} if channel.unit is not None else {}
                continue
            found[channel.source] = None
            if channel.name:
                found[channel.name] = self._entry(channel, theirs.get(channel.source))
        return found


def _unit_key(channel: Channel) -> dict[str, Any]:
    return {} if channel.unit is None else {"unit": channel.unit}


def _flow(value: Any) -> str:
    """``value`` as YAML in a single line."""
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=1_000_000)
    return text.removesuffix("\n").removesuffix("\n...")


def suggested(draft: Draft, product: str, is_free: Callable[[str], bool]) -> str:
    """A free name for the sensor: that of its profile, else its product's, else its port's, else its protocol's."""
    base = str(draft.keys.get("profile") or "") or _of_product(product) or _of_port(str(draft.keys["port"]))
    if not base:
        base = next((word for title, word in _OF_KIND.items() if draft.title.startswith(title)), "sensor")
    base, number, name = base[:60], 1, base[:60]
    while not is_free(name):
        number += 1
        name = f"{base}-{number}"
    return name


def _of_product(product: str) -> str:
    """``Arduino Uno (www.arduino.cc)`` as ``arduino-uno``; empty if it only says that it is an adapter."""
    words = [word for word in re.split(r"[^a-z0-9]+", re.sub(r"\(.*?\)", " ", product.lower())) if word]
    meaningful = [word for word in words if word not in _MEANINGLESS]
    return "-".join(dict.fromkeys(meaningful[:3]))


def _of_port(port: str) -> str:
    """A name from that of the port, if a person chose it: not a number of the kernel's, not an address; else empty."""
    name = port.rpartition("/")[2]
    return (
        "" if "://" in port or "/by-" in port or re.fullmatch(r"(tty|rfcomm|cu)\w*|\d+", name) else re.sub(r"[^\w-]+", "_", name)
    )
