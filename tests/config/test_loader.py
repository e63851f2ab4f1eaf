"""The configuration: every mistake at once, each with its place, and nothing but ConfigErrors whatever is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensorlogd import counters
from sensorlogd.config.loader import ConfigErrors, load, load_text
from sensorlogd.config.models import ChannelOptions, Config
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for

ROOT = Path(__file__).parents[2]
GOOD = """
daemon: {data_dir: /tmp/x, timezone: Europe/Berlin, labels: {site: roof}}
storage: {commit_interval: 1s, min_free: 500MB, when_full: stop}
retention: {readings: 2y, 1min: forever, sensors: {"green*": {readings: 30d}}}
sensors:
  greenhouse:
    driver: simulated
    interval: 1s
    channels:
      temperature: {unit: °C, signal: {sine: {offset: 20, amplitude: 5, period: 1d, noise: 0.1}}, valid: [-40, 85]}
      pulses: {kind: counter, signal: {counter: {step: 1}}}
  arduino:
    driver: serial
    port: /dev/serial/by-id/usb-x
    baudrate: 9600
    format: {type: csv, fields: [temperature, humidity]}
    channels:
      temperature: {unit: °C, scale: 0.1, offset: -2, valid: [-40, 85], max_rate: 5/min, stuck_after: 1h}
"""


def parse(text: str) -> Config:
    return load_text(text, Path("test.yaml"), options_for)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(text)
    return [str(error) for error in caught.value.errors]


def test_a_good_configuration_means_what_it_says() -> None:
    """Units are settled once: microseconds, bytes, units per second."""
    config = parse(GOOD)
    greenhouse, arduino = config.sensors["greenhouse"], config.sensors["arduino"]
    assert greenhouse.interval == 1_000_000
    assert greenhouse.heartbeat_us() == 5_000_000
    assert arduino.heartbeat_us() == 60_000_000
    assert config.storage.min_free == 500_000_000
    channel = arduino.channels["temperature"]
    assert channel.max_rate == pytest.approx(5 / 60)
    assert (channel.scale, channel.offset, channel.valid, channel.stuck_after) == (0.1, -2, (-40, 85), 3_600_000_000)
    assert greenhouse.labels == {"site": "roof"}
    assert config.retention.tiers() == {0: 2 * 365 * 86_400_000_000, 60: None}
    assert config.retention.sensors["green*"].tiers() == {0: 30 * 86_400_000_000}


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_the_ready_made_files_are_valid(path: Path) -> None:
    """Each loads, and has sensors."""
    assert load(path, options_for).sensors


def test_all_mistakes_are_reported_at_once_with_their_places() -> None:
    """Line and column count from 1; the text says what is allowed and what was probably meant."""
    assert errors(
        "a: 1\n"
        "storage: {commit_interval: 5 parsecs, min_free: lots}\n"
        "sensors:\n"
        "  x: {driver: simulated, interval: 200, channels: {t: {signal: {sin: {}}, valid: [5, 1], unitt: 3}}}\n"
        "  y.z: {driver: serial, baudrate: 96OO, format: {type: csv, fields: [a]}}\n"
        "  w: {driver: serail}\n"
        "  v: [1]\n"
    ) == [
        "test.yaml:1:1: a: unknown key; known: daemon, storage, retention, web, backup, heartbeat, templates, profiles, sensors, computed, alarms, notify, prices, include",
        "test.yaml:2:28: storage.commit_interval: '5 parsecs' is not a duration; write a number and a unit: us, ms, s, min, h, d,"
        " w, mo, y (e.g. 1s, 15min)",
        "test.yaml:2:49: storage.min_free: 'lots' is not a size; write a number and a unit: B, kB, MB, GB, TB, KiB, MiB, GiB"
        " (e.g. 500MB)",
        "test.yaml:4:36: sensors.x.interval: '200' is not a duration; write a number and a unit: us, ms, s, min, h, d, w, mo, y"
        " (e.g. 200s, 200min)",
        "test.yaml:4:65: sensors.x.channels.t.signal.sin: unknown key (did you mean 'sine'?); known: constant, counter, diurnal,"
        " noise, ramp, random_walk, sine, square",
        "test.yaml:4:82: sensors.x.channels.t.valid: the lowest value 5 is not below the highest 1; write the lower one first",
        "test.yaml:4:90: sensors.x.channels.t.unitt: unknown key (did you mean 'unit'?); known: deadband, decimals, dip, faults, kind, labels,"
        " max_rate, offset, polynomial, scale, signal, source, spike, stuck_after, table, unit, unit_change, valid, was, wrap,"
        " wrap_stored",
        "test.yaml:5:3: sensors.y.z: is not a name; use letters, digits, '_' and '-', at most 64, no dots or blanks, e.g. y_z",
        "test.yaml:5:8: sensors.y.z.port: is required here and is not there; add port: VALUE (/dev/serial/by-id/..., or an address:"
        " socket://host:port, rfc2217://host:port)",
        "test.yaml:5:35: sensors.y.z.baudrate: must be a whole number, found '96OO'; write 9600, with digits for the letters",
        "test.yaml:6:15: sensors.w.driver: unknown driver 'serail' (did you mean 'serial'?); known: command, mbus, modbus, nmea, replay, serial, simulated, sysfs, or a file as"
        " /path/driver.py:Class",
        "test.yaml:7:3: sensors.v: must hold keys with values, driver: at least, found the list [1]; write them below v:, indented",
    ]


@pytest.mark.parametrize(
    ("name", "cure"), [("--help", "help"), ("-", ""), ("-a.b-", "a_b"), ("_" * 70 + "x", "x"), ("x y-", "x_y")]
)
def test_a_name_that_is_suggested_is_one(name: str, cure: str) -> None:
    (error,) = errors(f"sensors: {{'{name}': {{driver: simulated, channels: {{t: {{signal: constant}}}}}}}}")
    assert error.partition(", e.g. ")[2] == cure
    assert ("no '-' in front" in error) == name.startswith("-")


SIMPLE = "sensors: {s: {driver: simulated, channels: {%s}}}"


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ("NO: {signal: constant}", {"NO"}),
        ("'on': {signal: constant}", {"on"}),
        ("1e3: {signal: constant}", {"1e3"}),
        ("010: {signal: constant}", {"010"}),
        ("null: {signal: constant}", {"null"}),
    ],
)
def test_yaml_does_not_turn_names_into_something_else(channel: str, expected: set[str]) -> None:
    """NO is a channel called NO."""
    assert set(parse(SIMPLE % channel).sensors["s"].channels) == expected


def test_numbers_and_booleans_are_what_the_schema_says() -> None:
    """1e3 is a number where one is wanted; 22:22 never becomes 1342; on is true where a yes or no is wanted."""
    config = parse(
        "sensors: {s: {driver: simulated, enabled: on, labels: {t: 22:22, e: NO}, channels: {c: {scale: 1e3, signal: constant}}}}"
    )
    sensor = config.sensors["s"]
    assert sensor.enabled is True
    assert sensor.labels == {"t": "22:22", "e": "NO"}
    assert sensor.channels["c"].scale == 1000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty; write a starter with: sensorlogd init"),
        ("- a\n", "holds a list"),
        ("just words", "holds the text 'just words'"),
        ("a: [", "never closed"),
        ("a:\n\tb: 1\n", "a tab stands before"),
        ("sensors: {a: 1, a: 2}", "is here a second time; the first is in line 1"),
        ("a: &x [*x]", "an alias contains itself"),
        ("a: !!python/object/apply:os.system [ls]", "is not allowed"),
        ("---\na: 1\n---\nb: 2\n", "a second document"),
        ("sensors: {<<: {a: 1}}", "merge keys are not supported"),
        ("? [a]\n: 1\n", "a key must be a word"),
        ("[" * 1000, "is nested deeper than 40 levels"),
        ("a: " + "[" * 100_000, "is nested deeper than 40 levels"),
    ],
)
def test_what_is_no_configuration_is_one_clear_error(text: str, expected: str) -> None:
    """No traceback, no silence, no exhausted stack."""
    assert any(expected in error for error in errors(text)), errors(text)


def test_an_alias_bomb_is_bounded() -> None:
    """Ten levels of ten aliases would be ten thousand million parts."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 11)]
    assert any("expand to more than" in error for error in errors("\n".join(lines)))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: \x00", b"sensors: {a: \xe4}", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_text(tmp_path: Path, content: bytes) -> None:
    """Not UTF-8, a NUL, only a byte order mark."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigErrors):
        load(path, options_for)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a folder, too large."""
    for path, expected in ((tmp_path / "no.yaml", "no such file"), (tmp_path, "is a folder")):
        with pytest.raises(ConfigErrors, match=expected):
            load(path, options_for)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 5_000_000)
    with pytest.raises(ConfigErrors, match="is larger than"):
        load(large, options_for)


def test_environment_and_its_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    """${NAME} is replaced, ${NAME:-default} too, $$ is a dollar; a missing one is an error with its place."""
    monkeypatch.setenv("UNIT", "kPa")
    monkeypatch.delenv("NOPE", raising=False)
    unit = "c: {signal: constant, unit: '%s'}"
    assert parse(SIMPLE % unit % "${UNIT}").sensors["s"].channels["c"].unit == "kPa"
    assert parse(SIMPLE % unit % "${NOPE:-V}").sensors["s"].channels["c"].unit == "V"
    assert parse(SIMPLE % unit % "$${UNIT}").sensors["s"].channels["c"].unit == "${UNIT}"
    (error,) = errors(SIMPLE % unit % "${NOPE}")
    assert "the environment variable NOPE is not set" in error


def test_templates_are_laid_under_sensors() -> None:
    """The sensor's own keys win, mappings are merged, and an error in the template names the template's place."""
    config = parse(
        "templates:\n"
        "  t: {driver: simulated, interval: 2s, labels: {a: x, b: y}, channels: {c: {unit: V, signal: {constant: {value: 3}}}}}\n"
        "sensors:\n"
        "  one: {template: t, labels: {b: z}, channels: {c: {signal: {sine: {}}}, d: {signal: constant}}}\n"
    )
    sensor = config.sensors["one"]
    assert sensor.interval == 2_000_000
    assert sensor.labels == {"a": "x", "b": "z"}
    assert sensor.channels["c"].unit == "V"
    assert set(sensor.channels) == {"c", "d"}
    (error,) = errors(
        "templates:\n  t: {driver: simulated, intervall: 2s, channels: {c: {signal: constant}}}\nsensors:\n  one: {template: t}\n"
    )
    assert error.startswith("test.yaml:2:26: sensors.one.intervall: unknown key (did you mean 'interval'?)")
    (error,) = errors("templates: {t: {driver: simulated}}\nsensors: {one: {template: tt}}")
    assert "unknown template 'tt' (did you mean 't'?)" in error


def test_include_of_a_folder(tmp_path: Path) -> None:
    """Every YAML file in it, in order; errors name the file they are in."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.yaml").write_text("sensors: {a: {driver: simulated, channels: {c: {signal: constant}}}}")
    (tmp_path / "conf.d/b.yaml").write_text("sensors: {b: {driver: simulated, channels: {c: {signal: constant}}}}")
    main = tmp_path / "main.yaml"
    main.write_text("include: conf.d")
    assert set(load(main, options_for).sensors) == {"a", "b"}
    (tmp_path / "conf.d/b.yaml").write_text("sensors:\n  a: {driver: x}\nstorage: {}\n")
    with pytest.raises(ConfigErrors) as caught:
        load(main, options_for)
    found = [str(error) for error in caught.value.errors]
    assert f"{tmp_path}/conf.d/b.yaml:2:3: sensors.a: is here a second time; the first is at {tmp_path}/conf.d/a.yaml:1" in found
    assert (
        f"{tmp_path}/conf.d/b.yaml:3:1: storage: an included file may hold templates, sensors, computed, alarms, notify, prices only"
        in found
    )


def test_a_port_named_twice_names_both_places() -> None:
    """One port, one sensor."""
    (error,) = errors(
        "sensors:\n"
        "  a: {driver: serial, port: /dev/ttyX, format: {fields: [x]}}\n"
        "  b: {driver: serial, port: /dev/ttyX, format: {fields: [x]}}\n"
    )
    assert error == (
        "test.yaml:3:29: sensors.b.port: /dev/ttyX is already read by sensor 'a' at test.yaml:2;"
        " if both are meant to read it, write shared: true in both"
    )


def test_a_driver_that_cannot_be_loaded_fails_its_sensor_only(tmp_path: Path) -> None:
    """The others run; the reason is kept."""
    (tmp_path / "broken.py").write_text("import does_not_exist_anywhere\n")
    path = tmp_path / "c.yaml"
    path.write_text(
        "sensors:\n  bad: {driver: 'broken.py:X', channels: {}}\n  good: {driver: simulated, channels: {c: {signal: constant}}}\n"
    )
    config = load(path, options_for)
    assert set(config.sensors) == {"good"}
    assert "does_not_exist_anywhere" in config.failed_sensors["bad"]
    (tmp_path / "broken.py").chmod(0o666)
    assert "writable by others" in load(path, options_for).failed_sensors["bad"]


def test_a_driver_that_cannot_be_loaded_is_listed_beside_other_mistakes(tmp_path: Path) -> None:
    """All mistakes at once: who mends the others need not look a second time to find it."""
    (tmp_path / "a.py").write_text("")
    path = tmp_path / "c.yaml"
    path.write_text("sensors:\n  bad:\n    driver: ./a.py:Foo\n    channels: {x: {}}\nnonsense: 1\n")
    with pytest.raises(ConfigErrors) as raised:
        load(path, options_for)
    assert [(error.mark.line, error.path) for error in raised.value.errors] == [(3, "sensors.bad.driver"), (5, "nonsense")]
    assert "has no class 'Foo'" in str(raised.value)


def test_the_snapshot_is_one_file_that_means_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Includes inlined, templates kept, secrets not in it, wherever it is stored."""
    monkeypatch.setenv("SECRET", "hush")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/more.yaml").write_text(
        "sensors: {b: {template: t, labels: {key: '${SECRET}', 'null': 'null', 'on': 'on', number: '1e3'}}}"
    )
    main = tmp_path / "etc/main.yaml"
    main.write_text(
        "include: more.yaml\ntemplates: {t: {driver: simulated, channels: {c: {signal: constant}}}}\nsensors: {a: {template: t}}\n"
        "retention: {readings: forever}"
    )
    config = load(main, options_for)
    assert "hush" not in config.snapshot()
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(config.snapshot())
    again = load(elsewhere, options_for)
    for part in ("daemon", "storage", "retention", "web", "sensors", "base_dir"):
        if part != "daemon":
            assert getattr(again, part) == getattr(config, part), part
    assert again.database_path() == config.database_path()
    assert yaml.safe_load(again.snapshot()) == yaml.safe_load(config.snapshot())


_text = st.text(st.characters(codec="utf-8"), max_size=40)
_tree = st.recursive(
    st.one_of(st.none(), _text, st.integers(), st.floats(), st.booleans(), st.sampled_from(["1s", "5/min", "serial", "simulated"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                _text,
                st.sampled_from(
                    ["sensors", "driver", "channels", "signal", "sine", "storage", "templates", "template", "interval", "port", "format",
                     "retention", "1min", "include", "base_dir", "daemon", "data_dir", "valid", "fields", "was", "labels"]
                ),
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=30,
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(_tree)
def test_no_tree_raises_anything_else(tree: object) -> None:
    """Whatever the file holds: a configuration or ConfigErrors."""
    text = yaml.safe_dump({"sensors": {"a": tree}, "storage": tree, "retention": tree}, allow_unicode=True)
    for candidate in (text, yaml.safe_dump(tree, allow_unicode=True)):
        try:
            parse(candidate)
        except ConfigErrors as caught:
            assert caught.errors


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=200), st.text("{}[]:,-&*!|>'\"%@`#? \n\tab0", max_size=80)))
def test_no_text_raises_anything_else(text: str) -> None:
    """Not even text that is no YAML."""
    try:
        parse(text)
    except ConfigErrors as caught:
        assert caught.errors


def test_limits_are_told_in_the_unit_of_the_file() -> None:
    """Durations are validated as microseconds; nobody should have to read them."""
    found = errors("retention: {readings: 5s}\nstorage: {commit_interval: 2h, inbox_limit: 5}\nsensors: {}\n")
    assert [line.split(": ", 2)[2].split(" (")[0] for line in found] == [
        "must be at least 1h, found '5s'; write 1h or more",
        "must be at most 10min, found '2h'; write 10min or less",
        "must be at least 1000, found '5'; write 1000 or more",
    ]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("kind: counter, wrap: 0", "must be more than 0"),
        ("kind: counter, dip: 1", "must be less than 1"),
        ("wrap: 65536", "wrap: only counters have one; this channel is a gauge"),
        ("kind: state, dip: 0.2", "dip: only counters have one; this channel is a state"),
    ],
)
def test_only_counters_wrap_and_dip(options: str, error: str) -> None:
    """The keys that roll-ups of counters need, and whoever else has them is told."""
    channels = (
        f"sensors: {{x: {{driver: simulated, interval: 1s, channels: {{c: {{{options}, signal: {{constant: {{value: 1}}}}}}}}}}}}"
    )
    assert error in "".join(errors(channels))


def test_a_counter_that_wraps() -> None:
    """Both keys mean what they say, and a channel without them has the default of the storage."""
    channel = (
        parse(
            "sensors: {x: {driver: simulated, interval: 1s, channels: {c: {kind: counter, wrap: 65536, dip: 0, signal: {constant: {value: 1}}}}}}"
        )
        .sensors["x"]
        .channels["c"]
    )
    assert (channel.wrap, channel.dip) == (65536, 0)
    assert ChannelOptions().dip == counters.DIP


@pytest.mark.parametrize(
    ("keys", "warned"),
    [
        ("kind: counter, scale: -0.5", "scale: makes falls of the rises of a counter"),
        ("kind: counter, polynomial: [5, -2, -0.1]", "polynomial: makes falls"),
        ("kind: counter, table: [[0, 9], [9, 0]]", "table: makes falls"),
        ("kind: counter, scale: -1, table: [[0, 0], [9, 9]]", "scale: makes falls"),
        ("kind: counter, scale: -1, table: [[0, 9], [9, 0]]", ""),
        ("kind: counter, polynomial: [5, 2, -0.1]", ""),
        ("kind: counter, scale: 0.5, offset: -3", ""),
        ("scale: -0.5", ""),
    ],
)
def test_a_counter_that_is_stored_upside_down_is_warned_of(keys: str, warned: str) -> None:
    config = parse(SIMPLE % f"energy: {{signal: constant, {keys}}}")
    found = [line for line in warnings(config, lambda port: (port, False)) if "energy" in line]
    assert len(found) == bool(warned)
    if warned:
        assert found[0].startswith(f"sensors.s.channels.energy.{warned}")
        assert found[0].endswith(", unless the device counts down")
