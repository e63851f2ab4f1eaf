"""``profiles``: lists the device profiles, and shows one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, output
from sensorlogd.cli.common import config_option, fail


@click.command(
    epilog="""\b
Examples:
  sensorlogd profiles
  sensorlogd profiles plantower-pms5003       one of them, with the YAML to paste
\b
Your own go into a folder 'profiles' beside the configuration, or into /etc/sensorlogd/profiles.
Exit status: 0; 1 a profile that cannot be read; 2 no such profile.
"""
)
@click.argument("name", required=False)
@config_option
@output.format_option
def profiles(name: str | None, config_file: Path | None, form: str | None) -> None:
    """List device profiles, shipped and your own, or show the one called NAME."""
    from sensorlogd.config import light
    from sensorlogd.config.profiles import available
    from sensorlogd.config.validation.names import closest

    try:
        base: Path | None = light.find(config_file).parent
    except light.ConfigNotFound:
        base = Path.cwd()
    known = available(base)
    if name is not None:
        if name not in known:
            fail(f"no profile {name!r}{closest(name, known)}; 'sensorlogd profiles' lists them", exits.USAGE)
        _print_profile(name, known[name].path)
        return
    rows = []
    for profile in known.values():
        data = _read_profile(profile.path)
        sensor = data.get("sensor") or {}
        rows.append(
            {
                "profile": profile.name,
                "device": data.get("title", ""),
                "baudrate": int(sensor["baudrate"]) if str(sensor.get("baudrate", "")).isdecimal() else 9600,
                "channels": len(sensor.get("channels") or {}),
                "from": str(profile.path) if profile.own else "shipped",
            }
        )
    output.write(rows, ("profile", "device", "baudrate", "channels", "from"), form)


def _read_profile(path: Path) -> dict[str, Any]:
    from sensorlogd.config.text.tree import ConfigError, read

    errors: list[ConfigError] = []
    tree = read(path, errors)
    data = None if tree is None else tree.data
    if errors or not isinstance(data, dict) or not isinstance(data.get("sensor"), dict):
        fail(str(errors[0]) if errors else f"{path}: a profile is a mapping with title:, source: and sensor:")
    return data


def _print_profile(name: str, path: Path) -> None:
    data = _read_profile(path)
    sensor = data["sensor"]
    click.echo(f"# {data.get('title', name)}")
    if data.get("source"):
        click.echo(f"# after: {data['source']}")
    rows = [
        {"channel": channel, "unit": (options or {}).get("unit", ""), "kind": (options or {}).get("kind", "gauge")}
        for channel, options in (sensor.get("channels") or {}).items()
    ]
    if rows:
        output.write(rows, ("channel", "unit", "kind"), "table")
    click.echo(f"\nsensors:\n  device:\n    profile: {name}\n    port: /dev/serial/by-id/...")
