"""The shipped profiles against recorded bytes of real instruments: accepted is what the reference accepts, value by value."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from tests import needs
from tests.drivers.decoders.decoding import CORPUS, Row, decode, options, profile

COUNTS = json.loads((CORPUS / "COUNTS.json").read_text()) if CORPUS.exists() else {}


@pytest.fixture(autouse=True)
def _recordings() -> None:
    needs.corpus()


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / path).read_text().splitlines()]


def files(pattern: str) -> list[Path]:
    return sorted(CORPUS.glob(pattern))


PMS = {"raw01": "pm1_cf1", "raw25": "pm25_cf1", "raw10": "pm10_cf1", "pm01": "pm1", "temp": "temperature", "rhum": "humidity"}


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    ("file", "name", "names"),
    [
        ("PMS3003", "plantower-pms3003", PMS),
        ("PMSx003", "plantower-pms5003", PMS),
        ("PMSx003", "plantower-pms7003", PMS),
        ("PMS5003T", "plantower-pms5003t", PMS),
        ("SDS01x", "nova-sds011", {}),
        ("MHZ19B", "winsen-mhz19b", {"CO2": "co2"}),
    ],
)
def test_particulate_and_gas_sensors(file: str, name: str, names: dict[str, str], seed: int | None) -> None:
    """Every frame, every value."""
    rows, counts = decode(profile(name), (CORPUS / f"pypms/{file}.bin").read_bytes(), seed)
    expected = lines(f"pypms/{file}.expected.jsonl")
    assert counts == {}
    for row, reference in zip(rows, expected, strict=True):
        reference.pop("time")
        assert {key: row[names.get(key, key)] for key in reference} == reference


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("entry", COUNTS.get("vedirect", []), ids=lambda entry: entry["file"])
def test_vedirect(entry: dict[str, Any], seed: int | None) -> None:
    """The blocks whose checksum is right, with HEX records between and ``:`` as a checksum byte."""
    channels = {
        "V": "voltage",
        "I": "current",
        "SOC": "state_of_charge",
        "VPV": "pv_voltage",
        "H19": "yield_total",
        "PPV": "pv_power",
    }
    scales = {"V": 1000, "I": 1000, "SOC": 10, "VPV": 1000, "H19": 100, "PPV": 1}
    rows, counts = decode(profile("victron-vedirect"), (CORPUS / "vedirect" / entry["file"]).read_bytes(), seed)
    expected = [block for block in lines(f"vedirect/{Path(entry['file']).stem}.expected.jsonl") if block["valid"]]
    assert len(rows) == entry["checksum_ok"] == len(expected)
    assert counts.get("bad_blocks", 0) + counts.get("first_partial", 0) == entry["checksum_bad"]
    assert counts.get("aside", 0) == entry["async_hex_records"]
    compared = 0
    for row, block in zip(rows, expected, strict=True):
        for key, channel in channels.items():
            if key in block and block[key] != "---":
                assert row[channel] == int(block[key]) / scales[key]
                compared += 1
    assert compared >= 3 * len(rows) // 2


def merged(rows: list[Row]) -> list[Row]:
    """What meters behind the meter say has a time of its own: put together again what came in one telegram."""
    telegrams: list[Row] = []
    for row in rows:
        if telegrams and not telegrams[-1].keys() & row.keys():
            telegrams[-1] |= row
        else:
            telegrams.append(dict(row))
    return telegrams


@pytest.mark.parametrize("entry", COUNTS.get("dsmr-p1", []), ids=lambda entry: entry["file"])
def test_p1_telegrams(entry: dict[str, Any]) -> None:
    """A telegram with a wrong CRC is rejected, one with a right one or (old meters) none is taken."""
    data = (CORPUS / "dsmr-p1" / entry["file"]).read_bytes()
    for seed in (None, 1):
        rows, counts = decode(profile("dsmr-p1"), data + data, seed)
        assert len(merged(rows)) == (0 if entry["own_crc16_ok"] is False else 2)
        assert counts.get("bad_telegrams", 0) == (2 if entry["own_crc16_ok"] is False else 0)


P1_VALUES = {
    "v2_2.txt": {"energy_t1": 1.001, "power": 1.01, "gas": 1.001},
    "v3.txt": {"energy_t1": 12345.678, "energy_t2": 12345.678, "power": 1.19, "gas": 1.001},
    "v4_2.txt": {"energy_t1": 1581.123, "power": 2.027, "gas": 981.443},
    "v5.txt": {"energy_t1": 4.426, "power": 0.244, "gas": 0.107},
    "v5_two_mbus.txt": {"gas": 246.138, "voltage_l1": 229.9},  # the first gas meter is gone
    "sagemcom_t210_d_r.txt": {"energy": 6545.766, "power": 0.286},  # in Wh and W
    "iskra_ie.txt": {"energy_t1": 10.181, "power": 0.17},
}


@pytest.mark.parametrize("file", P1_VALUES)
def test_p1_values(file: str) -> None:
    """In kWh and kW whatever the meter sends; gas from the M-Bus channel that has a meter."""
    rows, _ = decode(profile("dsmr-p1"), (CORPUS / "dsmr-p1" / file).read_bytes())
    (row,) = merged(rows)
    assert {key: row[key] for key in P1_VALUES[file]} == P1_VALUES[file]


UNITS = {"v": 1.0, "mv": 1e-3, "a": 1.0, "ma": 1e-3, "ua": 1e-6, "ohm": 1.0, "hz": 1.0, "nf": 1e-9, "uf": 1e-6, "mf": 1e-3}


@pytest.mark.parametrize("file", files("sigrok-uart/ut61e_dmm/*.rx.raw"), ids=lambda path: path.name.split(".")[0])
def test_ut61e_reads_what_the_file_name_says(file: Path) -> None:
    """Mode and, where the name has one, value (to the digits of the name); overload and underload are missing values."""
    rows, counts = decode(profile("unit-ut61e"), file.read_bytes(), 1)
    assert counts == {}
    assert len(rows) == len(file.read_bytes()) // 14
    name = file.name.removesuffix(".rx.raw").removeprefix("ut61e_")
    mode = next(
        channel
        for word, channel in (("percentage", "duty"), ("frequency", "frequency"), ("capacitance", "capacitance"), ("current", "current"),
                              ("continuity", "continuity"), ("diode", "diode"), ("resistance", "resistance"), ("voltage", "voltage"))
        if word in name
    )  # fmt: skip
    if name == "voltage_mv_dc_frequency_ol":
        mode = "voltage"  # the meter's own bits say so: overload of the voltage, no second function
    assert {channel for row in rows for channel in row} == {mode}
    values = [value for row in rows if (value := row[mode]) is not None]
    if name.endswith(("_ol", "_ul", "continuity_false")):
        assert math.isnan(values[0])
        return
    assert not any(map(math.isnan, values))
    found = re.search(r"(minus)?(\d+)(?:_(\d+))?(v|mv|a|ma|ua|ohm|hz|nf|uf|mf)?(?:_p(?:max|min)|_hold|_rel)?$", name)
    if found is None:
        return  # continuity_true
    named = float(f"{found[2]}.{found[3] or 0}") * (UNITS[found[4]] if found[4] else 1) * (-1 if found[1] else 1)
    step = 10.0 ** -len(found[3] or "") * (UNITS[found[4]] if found[4] else 1)
    if "pmin" in name or "pmax" in name:  # the peak is not what is on the display at that moment
        assert all(abs(value) <= 0.2 for value in values)
    else:
        assert min(abs(value - named) for value in values) <= max(2 * step, abs(named) * 0.1)


def test_kern_scale() -> None:
    """Grams, carats, pieces and percent are channels of their own; the last letter says whether the pan is still."""
    expected = {
        "0g": {"weight": 0.0, "stable": 1.0},
        "0pcs": {"pieces": 0.0, "stable": 1.0},
        "0percent": {"percent": 0.0, "stable": 0.0},
        "127_2g_15byte_packet": {"weight": 127.2, "stable": 1.0},
        "26_9g_stable": {"weight": 26.9, "stable": 1.0},
        "26_9g_unstable": {"weight": 26.9, "stable": 0.0},
        "635_8ct": {"carat": 635.8, "stable": 1.0},
        "636ct_15byte_packet": {"carat": 636.0, "stable": 1.0},
        "minus_0_04g": {"weight": -0.04, "stable": 1.0},
    }
    for name, values in expected.items():
        data = (CORPUS / f"sigrok-uart/kern_scale/kern_ew_6200-2nm_{name}.rx.raw").read_bytes()
        assert decode(profile("kern-scale"), data, 1) == ([values], {})


def test_examples_of_the_manuals() -> None:
    """SenseAir S8, MH-Z19B, MT-SICS, Ultimeter, emonTx."""
    by_name: dict[str, list[tuple[str, dict[str, Any]]]] = {
        "SenseAir S8 read CO2 response": [("senseair-s8", {"co2": 400.0})],
        "MH-Z19B response (captured)": [("winsen-mhz19b", {"co2": 636.0, "temperature": 26.0})],
        "emonTx V3 serial": [("emontx", {"voltage": 246.81, "power1": 79.0, "energy1": 0.0, "pulses": 1.0})],
    }
    seen = 0
    for example in lines("doc-examples/examples.jsonl"):
        data = bytes.fromhex(example["hex"]) if "hex" in example else example["text"].encode()
        for name, values in by_name.get(example["name"], []):
            assert decode(profile(name), data)[0] == [values]
            seen += 1
        if example["name"] == "MT-SICS":
            rows, _ = decode(profile("mettler-sics"), data)
            wanted = example["expected"]
            assert rows == ([{"weight": wanted["value"], "stable": float(wanted["stable"])}] if "value" in wanted else [])
            seen += 1
        if example["name"].startswith("Peet Bros Ultimeter data"):
            ((row,), _) = decode(profile("ultimeter"), data)
            assert row["temperature"] == pytest.approx((74.7 - 32) / 1.8)
            assert row["wind_speed"] == pytest.approx(5.03 * 1.609344, abs=0.01)
            assert row["wind_direction"] == pytest.approx(268.24, abs=0.01)
            assert row["rain"] == pytest.approx(25.4)
            assert row["pressure"] == pytest.approx(29.81 * 33.8639, abs=0.2)
            assert [row["indoor_temperature"], row["humidity"]] == pytest.approx([20.0, 57.0])
            seen += 1
    assert seen == 12


RFLINK = {
    "temperature": "temperature", "humidity": "humidity", "windspeed": "wind_speed", "windgusts": "wind_gust", "winddirection": "wind_direction",
    "windtemp": "wind_temperature", "windchill": "wind_chill", "total_rain": "rain", "average_windspeed": "wind_average",
}  # fmt: skip


def test_rflink_agrees_with_the_reference() -> None:
    """Hexadecimal tenths, a sign bit, and a wrong direction that costs only itself."""
    compared = 0
    for record in lines("rflink/protocol_samples.expected.jsonl"):
        if not record["valid"] or not record["line"].startswith("20;"):
            continue
        rows, _ = decode(profile("rflink"), record["line"].encode() + b"\r\n")
        for key, channel in RFLINK.items():
            if key in record["decoded"] and not ("RAINTOT" in record["line"] and channel == "rain"):
                assert rows[0][channel] == pytest.approx(record["decoded"][key]), record["line"]
                compared += 1
    assert compared > 30


def test_one_device_of_a_gateway() -> None:
    """``only`` refines the profile's format without repeating it."""
    how = profile("rflink", 'format: {only: "^20;..;Cresta;ID=3001;"}, channels: {temperature: {}, humidity: {}}')
    rows, counts = decode(how, (CORPUS / "rflink/protocol_samples.raw").read_bytes())
    assert rows[0]["temperature"] == 18.0
    assert len(rows) == 2
    assert "bad_lines" not in counts


def test_a_telegram_cut_anywhere_is_not_read() -> None:
    """And does not cost the next one."""
    whole = (CORPUS / "dsmr-p1/v4_2.txt").read_bytes()
    for cut in range(1, len(whole) - 8, 7):
        rows, _ = decode(profile("dsmr-p1"), whole[:cut] + whole)
        assert len(merged(rows)) == 1, cut


def test_every_profile_is_valid_and_says_where_it_comes_from() -> None:
    """title, source and sensor, and a port is all that is missing."""
    from sensorlogd.config.profiles import SHIPPED, available

    for name, found in available().items():
        text = found.path.read_text()
        assert text.startswith("title: "), name
        assert "\nsource: " in text, name
        assert profile(name).channel_options(), name
    assert len(list(SHIPPED.glob("*.yaml"))) >= 21
    assert options("driver: serial, format: {fields: [a]}").channel_options()
