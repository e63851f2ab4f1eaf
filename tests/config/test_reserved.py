"""Names and units that would be taken for something else are refused when the configuration is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.config.loader import ConfigErrors, load
from sensorlogd.config.models import Config
from sensorlogd.drivers.registry import options_for


def _loaded(tmp_path: Path, label: str, unit: str) -> Config:
    path = tmp_path / "sensorlogd.yaml"
    path.write_text(
        "sensors:\n  lab:\n    driver: simulated\n"
        f"    labels: {{{label}: x}}\n    channels:\n      t: {{unit: '{unit}', signal: {{counter: {{step: 1}}}}}}\n"
    )
    return load(path, options_for)


@pytest.mark.parametrize(
    "name", ["__name__", "__address__", "sensor", "channel", "unit", "series", "time", "value", "quality", "le"]
)
def test_a_label_that_hides_what_readings_are_told_by_is_refused(tmp_path: Path, name: str) -> None:
    """With its place in the file."""
    with pytest.raises(ConfigErrors, match=rf":4:.*'{name}' cannot be the name of a label"):
        _loaded(tmp_path, name, "m")


@pytest.mark.parametrize("name", ["room", "job", "kind", "units"])
def test_other_labels_are_taken(tmp_path: Path, name: str) -> None:
    """The list is short on purpose."""
    assert _loaded(tmp_path, name, "m").sensors["lab"].labels == {name: "x"}


@pytest.mark.parametrize("unit", ["=1+1", "+A1", "@SUM(A1)", "-cmd"])
def test_a_unit_that_is_a_formula_is_refused(tmp_path: Path, unit: str) -> None:
    """Exports reach spreadsheets."""
    with pytest.raises(ConfigErrors, match="would be a formula in a spreadsheet"):
        _loaded(tmp_path, "room", unit)


@pytest.mark.parametrize("unit", ["-", "°C", "%", "1", "m/s", "µm"])
def test_other_units_are_taken(tmp_path: Path, unit: str) -> None:
    """A dash alone is what some write for none."""
    assert _loaded(tmp_path, "room", unit).sensors["lab"].channel_options()["t"].unit == unit
