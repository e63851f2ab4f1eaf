"""``sources``: lists what this machine's kernel measures already."""

from __future__ import annotations

import click

from sensorlogd.cli import exits, output
from sensorlogd.cli.common import fail


@click.command(
    epilog="""\b
Examples:
  sensorlogd sources
  sensorlogd sources --format json
\b
Put a path into the configuration:
  cpu: {driver: sysfs, files: {temperature: "hwmon:coretemp/temp1_input"}}
Exit status: 0; 3 the kernel measures nothing here.
"""
)
@output.format_option
def sources(form: str | None) -> None:
    """List what the kernel measures: hwmon, IIO, 1-Wire, thermal zones, power supplies, network counters."""
    from sensorlogd.drivers.sysfs.values import sources as find

    if not output.write(find(), ("path", "value", "unit", "label", "file"), form):
        fail("the kernel offers no measurements here (in a virtual machine or container that is usual)", exits.NO_DATA)
