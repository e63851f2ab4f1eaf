"""Files of the kernel: units by its rules, chips by their names, and whatever may be wrong with them."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sensorlogd.cli.main import cli
from sensorlogd.config.loader import ConfigErrors
from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.sysfs import driver as sysfs_driver
from sensorlogd.drivers.sysfs.rules import rule_for
from sensorlogd.drivers.sysfs.values import read_value, sources
from sensorlogd.notation import numbers
from tests.drivers.lending import WatchedContext, read_some, rows_of, values_of

W1 = "4b 01 4b 46 7f ff 05 10 e1 : crc=e1 YES\n4b 01 4b 46 7f ff 05 10 e1 t=20687\n"
TREE = {
    "class/hwmon/hwmon0/name": "coretemp",
    "class/hwmon/hwmon0/temp1_input": "45000",
    "class/hwmon/hwmon0/temp1_label": "Package id 0",
    "class/hwmon/hwmon0/in0_input": "1248",
    "class/hwmon/hwmon0/fan1_input": "1200",
    "class/hwmon/hwmon0/power1_average": "8500000",
    "class/hwmon/hwmon0/energy1_input": "7000000",
    "class/hwmon/hwmon1/name": "nvme",
    "class/hwmon/hwmon1/temp1_input": "33850",
    "class/hwmon/hwmon2/name": "nvme",
    "class/hwmon/hwmon2/temp1_input": "35850",
    "class/thermal/thermal_zone0/type": "x86_pkg_temp",
    "class/thermal/thermal_zone0/temp": "47000",
    "bus/w1/devices/28-0316a2795aff/w1_slave": W1,
    "bus/w1/devices/28-0316a2795aff/temperature": "20687",
    "bus/w1/devices/28-0316a2795aee/w1_slave": W1.replace("YES", "NO"),
    "bus/w1/devices/w1_bus_master1/w1_master_name": "w1_bus_master1",
    "bus/iio/devices/iio:device0/name": "bme280",
    "bus/iio/devices/iio:device0/in_temp_input": "21500",
    "bus/iio/devices/iio:device0/in_pressure_input": "101.325",
    "bus/iio/devices/iio:device0/in_humidityrelative_input": "48500",
    "bus/iio/devices/iio:device1/name": "ads1015",
    "bus/iio/devices/iio:device1/in_voltage0_raw": "1000",
    "bus/iio/devices/iio:device1/in_voltage0_scale": "3",
    "bus/iio/devices/iio:device1/in_voltage1_raw": "-1000",
    "bus/iio/devices/iio:device1/in_voltage1_offset": "200",
    "bus/iio/devices/iio:device1/in_voltage0-voltage1_raw": "10",
    "bus/iio/devices/iio:device1/in_voltage_scale": "2",
    "bus/iio/devices/iio:device1/in_voltage-voltage_scale": "0.5",
    "bus/iio/devices/iio:device2/name": "mpu6050",
    "bus/iio/devices/iio:device2/in_accel_x_raw": "16384",
    "bus/iio/devices/iio:device2/in_accel_scale": "0.000598",
    "bus/iio/devices/iio:device2/in_temp_raw": "-2600",
    "bus/iio/devices/iio:device2/in_temp_offset": "12420",
    "bus/iio/devices/iio:device2/in_temp_scale": "2.941176",
    "class/power_supply/BAT0/voltage_now": "12345000",
    "class/power_supply/BAT0/current_now": "1500000",
    "class/power_supply/BAT0/capacity": "87",
    "class/power_supply/BAT0/temp": "291",
    "class/power_supply/AC/online": "1",
    "class/powercap/intel-rapl:0/name": "package-0",
    "class/powercap/intel-rapl:0/energy_uj": "123000000",
    "class/net/eth0/statistics/rx_bytes": "12345",
}
FOUND = {
    "hwmon:coretemp/temp1_input": ("45", "°C"),
    "hwmon:coretemp/in0_input": ("1.248", "V"),
    "hwmon:coretemp/fan1_input": ("1200", "1/min"),
    "hwmon:coretemp/power1_average": ("8.5", "W"),
    "hwmon:coretemp/energy1_input": ("7", "J"),
    "{root}/class/hwmon/hwmon1/temp1_input": ("33.85", "°C"),
    "{root}/class/hwmon/hwmon2/temp1_input": ("35.85", "°C"),
    "thermal:x86_pkg_temp/temp": ("47", "°C"),
    "w1:28-0316a2795aff/temperature": ("20.687", "°C"),
    "w1:28-0316a2795aee/w1_slave": ("- (the 1-Wire CRC is wrong: the kernel says NO after crc=, where YES is expected)", "°C"),
    "iio:bme280/in_temp_input": ("21.5", "°C"),
    "iio:bme280/in_pressure_input": ("1013.25", "hPa"),
    "iio:bme280/in_humidityrelative_input": ("48.5", "%"),
    "iio:ads1015/in_voltage0_raw": ("3", "V"),
    "iio:ads1015/in_voltage1_raw": ("-1.6", "V"),
    "iio:ads1015/in_voltage0-voltage1_raw": ("0.005", "V"),
    "iio:mpu6050/in_accel_x_raw": ("9.797632", "m/s²"),
    "iio:mpu6050/in_temp_raw": ("28.882348320000002", "°C"),
    "power_supply:BAT0/voltage_now": ("12.345", "V"),
    "power_supply:BAT0/current_now": ("1.5", "A"),
    "power_supply:BAT0/capacity": ("87", "%"),
    "power_supply:BAT0/temp": ("29.1", "°C"),
    "power_supply:AC/online": ("1", ""),
    "powercap:package-0/energy_uj": ("123", "J"),
    "net:eth0/statistics/rx_bytes": ("12345", "B"),
}


@pytest.fixture
def lent() -> Iterator[WatchedContext]:
    made = WatchedContext()
    yield made
    made.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with something of everything."""
    for name, text in TREE.items():
        path = tmp_path / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    monkeypatch.setattr(sysfs_driver, "SYS", tmp_path / "sys")
    return tmp_path / "sys"


def opened(lent: WatchedContext, folder: Path, more: str = "interval: 1ms", **files: str) -> Any:
    made = lent.driver(folder, f"driver: sysfs, files: {json.dumps(files)}, {more}")
    made.open()
    return made


def test_the_sources_of_a_machine(root: Path) -> None:
    """Each with its path for the configuration, value and unit; a chip that is there twice by its place."""
    rows = sources(root)
    found = {row["path"]: (row["value"], row["unit"]) for row in rows}
    assert found == {path.format(root=root): shown for path, shown in FOUND.items()}
    assert [row["label"] for row in rows if row["label"]] == ["Package id 0"]
    assert all(Path(row["file"]).exists() for row in rows)


def test_every_source_can_be_read_by_the_path_that_is_shown(lent: WatchedContext, root: Path) -> None:
    """With the value and the unit that are shown; counters are counters."""
    rows = [row for row in sources(root) if not row["value"].startswith("-")]
    made = opened(lent, root, **{f"f{index}": row["path"] for index, row in enumerate(rows)})
    values = values_of(read_some(made, 1))[0]
    made.close()
    channels = made.options.channel_options()
    for index, row in enumerate(rows):
        assert numbers.text(values[f"f{index}"]) == row["value"]
        assert channels[f"f{index}"].unit == row["unit"]
        assert (channels[f"f{index}"].kind == "counter") == ("energy" in row["path"] or "bytes" in row["path"])
    assert lent.counts == {}


def test_what_the_configuration_says_wins(lent: WatchedContext, root: Path) -> None:
    """Scale, unit, kind; whose scale is not the kernel's, has not the kernel's unit."""
    keys = "driver: sysfs, files: {a: {path: 'hwmon:coretemp/temp1_input', scale: 1}, b: 'hwmon:coretemp/fan1_input'}"
    made = lent.driver(root, f"{keys}, channels: {{a: {{}}, turns: {{source: b, unit: rpm, kind: state}}}}")
    made.open()
    assert values_of(read_some(made, 1)) == [{"a": 45000, "b": 1200}]
    made.close()
    channels = made.options.channel_options()
    assert [(channel.unit, channel.kind) for channel in channels.values()] == [("", "gauge"), ("rpm", "state")]


def test_numbers_that_change_between_boots_can_be_left_open(lent: WatchedContext, root: Path) -> None:
    """A star must mean one file; several are named."""
    made = opened(lent, root, a=f"{root}/class/hwmon/hwmon*/in0_input")
    assert values_of(read_some(made, 1)) == [{"a": 1.248}]
    made.close()
    for path in (f"{root}/class/hwmon/hwmon[12]/temp1_input", "hwmon:nvme/temp1_input"):
        made = lent.driver(root, f"driver: sysfs, files: {{a: '{path}'}}")
        with pytest.raises(DriverError, match="is 2 files") as caught:
            made.open()
        assert "hwmon1/temp1_input" in caught.value.hint
        made.close()


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("28-0316a2795aff/w1_slave", W1.replace("YES", "NO"), "CRC is wrong"),
        ("28-0316a2795aff/w1_slave", "ff ff", r"'ff ff' is not a reading of a 1-Wire sensor"),
        ("28-0316a2795aff/w1_slave", "00 00 00 00 00 00 00 00 00 : crc=00 YES\n00 00 00 00 00 00 00 00 00 t=0\n", "held low"),
        ("28-0316a2795aff/w1_slave", W1.replace("20687", "85000"), "just been powered"),
        ("28-0316a2795aff/temperature", "85000", "just been powered"),
        ("28-0316a2795aff/temperature", "", "'' is not a number"),
        ("x", "1_000", "is not a number"),
        ("x", "nan", "is not a number"),
        ("x", "\xff", "is not a number"),
        ("x", "1" * 100_000, ""),
    ],
)
def test_what_is_not_to_be_believed(tmp_path: Path, name: str, text: str, problem: str) -> None:
    """Wrong, powered on a moment ago, or no number at all."""
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="latin-1")
    if problem:
        with pytest.raises(ValueError, match=problem):
            read_value(path, 0.001)
    else:
        assert read_value(path, 1.0) == float("inf")  # stored as missing


def test_one_bad_file_costs_itself(lent: WatchedContext, root: Path) -> None:
    """Counted with its path; when none is left the device is lost; what is plugged in again is read again, wherever it is."""
    made = opened(
        lent, root, bad="w1:28-0316a2795aee/w1_slave", good="hwmon:coretemp/temp1_input", later="iio:sht3x/in_temp_input"
    )
    assert values_of(read_some(made, 1)) == [{"good": 45.0}]
    assert lent.counts["bad_values"] == 1
    assert lent.counts["missing_files"] == 1
    assert lent.examples["missing_files"] == "later (iio:sht3x/in_temp_input)"
    shutil.move(root / "class/hwmon/hwmon0", root / "class/hwmon/hwmon7")
    shutil.move(root / "bus/iio/devices/iio:device0", root / "bus/iio/devices/iio:device9")
    (root / "bus/iio/devices/iio:device9/name").write_text("sht3x\n")
    assert values_of(read_some(made, 1))[-1]["later"] == 21.5
    assert values_of(read_some(made, 1))[-1] == {"good": 45.0, "later": 21.5}
    shutil.rmtree(root / "class/hwmon/hwmon7")
    shutil.rmtree(root / "bus/iio/devices/iio:device9")
    with pytest.raises(DriverError, match=r"CRC is wrong|No such file"):
        read_some(made, 10)
    made.close()


def test_nothing_there_says_what_to_do(lent: WatchedContext, root: Path) -> None:
    """All the paths, and the verb that lists others."""
    made = lent.driver(root, "driver: sysfs, files: {a: /no/such/file, b: 'hwmon:none/temp1_input'}")
    with pytest.raises(DriverError, match=r"a \(/no/such/file\), b \(hwmon:none/temp1_input\)") as caught:
        made.open()
    assert "sensorlogd sources" in caught.value.hint
    made.close()


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("files: {a: sensors/temp}", "neither an absolute path nor CLASS:CHIP/FILE"),
        ("files: {a: 'hwmo:x/temp1_input'}", "neither an absolute path nor CLASS:CHIP/FILE"),
        ("files: {a: /x}, channels: {b: {}}", "there is no file 'b'; there are a"),
        ("files: {a: /x}, interval: 0s", "1ms"),
        ("files: {}", "files"),
    ],
)
def test_mistakes_are_found_when_the_configuration_is_read(lent: WatchedContext, tmp_path: Path, keys: str, problem: str) -> None:
    """Before anything is opened."""
    with pytest.raises(ConfigErrors) as caught:
        lent.driver(tmp_path, f"driver: sysfs, {keys}")
    assert problem in str(caught.value)


def test_a_stop_ends_the_wait_and_the_interval_is_kept(lent: WatchedContext, root: Path) -> None:
    """At once, though the next reading is an hour away."""
    made = opened(lent, root, "interval: 1h", a="hwmon:coretemp/temp1_input")
    assert len(read_some(made, 1)) == 1
    assert rows_of(made.read(0.01)) == []
    timer = threading.Timer(0.05, lent.wake)
    timer.start()
    began = time.monotonic()
    assert rows_of(made.read(3000.0)) == []
    assert time.monotonic() - began < 60
    timer.join()
    made.close()


def test_the_real_kernel(lent: WatchedContext, tmp_path: Path) -> None:
    """Whatever this machine has can be read; every Linux has the counters of its loopback interface."""
    rows = sources()
    for row in rows:
        if not row["value"].startswith("-"):
            rule = rule_for(row["file"])
            read_value(Path(row["file"]), rule.scale if rule else 1.0)
    made = opened(lent, tmp_path, received="net:lo/statistics/rx_bytes")
    assert values_of(read_some(made, 1))[0]["received"] >= 0
    made.close()
    assert (made.options.channel_options()["received"].unit, made.options.channel_options()["received"].kind) == ("B", "counter")


def test_the_verb_lists_them() -> None:
    """As data; the loopback interface at least."""
    done = CliRunner().invoke(cli, ["sources", "--format", "json"])
    assert done.exit_code == 0
    assert "net:lo/statistics/rx_bytes" in {row["path"] for row in json.loads(done.output)}
