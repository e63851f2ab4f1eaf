"""Changes to the text of a configuration: they say what was meant, and leave everything else to the last character."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd.config.starter import STARTER
from sensorlogd.config.text import edits
from sensorlogd.config.text.tree import parse

INCLUDES = {
    "none": ("# mine\nsensors: {}  # few\n", "# mine\nsensors: {}  # few\n\ninclude: conf.d\n"),
    "no line end": ("daemon: {}", "daemon: {}\n\ninclude: conf.d\n"),
    "of Windows": ("daemon: {}\r\n", "daemon: {}\r\n\r\ninclude: conf.d\r\n"),
    "a mark": ("\ufeffdaemon: {}\n", "\ufeffdaemon: {}\n\ninclude: conf.d\n"),
    "a text at the end": ("x: |\n  a\n", "x: |\n  a\n\ninclude: conf.d\n"),
    "a file": ("include: more.yaml  # of Anna\nweb: {}\n", "include: [more.yaml, conf.d]  # of Anna\nweb: {}\n"),
    "quotes": ("include: 'a b.yaml'\n", "include: ['a b.yaml', conf.d]\n"),
    "brackets": ("include: [a.yaml, b.yaml ] # two\n", "include: [a.yaml, b.yaml, conf.d ] # two\n"),
    "dashes": (
        "include:\n  - a.yaml   # first\n  - b.yaml   # second\nweb: {}\n",
        "include:\n  - a.yaml   # first\n  - b.yaml   # second\n  - conf.d\nweb: {}\n",
    ),
    "a dash at the end": ("include:\n- a.yaml", "include:\n- a.yaml\n- conf.d"),
}


@pytest.mark.parametrize("name", INCLUDES)
def test_an_include_is_added(name: str) -> None:
    """In the way the file has it already, comments and line ends as they are."""
    before, after = INCLUDES[name]
    assert edits.with_include(before) == after


@pytest.mark.parametrize(
    "text", ["{daemon: {}}", '{"daemon": {}}\n', "", "- a\n", "include:\nweb: {}\n", "a: 1\n...\n", "x: [\n"]
)
def test_what_cannot_be_done_in_a_small_way_is_not_done(text: str) -> None:
    """People are told the line then."""
    assert edits.with_include(text) is None


RENAMES = {
    "block": ("sensors:\n  a:\n    driver: x # d\n    port: y\n", "sensors:\n  b:\n    was: a\n    driver: x # d\n    port: y\n"),
    "a comment between": ("sensors:\n  a:  # here\n    # of 2020\n    driver: x\n", "sensors:\n  b:  # here\n    # of 2020\n    was: a\n    driver: x\n"),
    "flow": ("sensors: {a: {driver: x}, c: {driver: y}}", "sensors: {b: {was: a, driver: x}, c: {driver: y}}"),
    "again": ("sensors:\n  a:\n    was: z   # 2020\n    driver: x\n", "sensors:\n  b:\n    was: a   # 2020\n    driver: x\n"),
    "quotes": ('sensors:\n  "a": {driver: x}\n', "sensors:\n  b: {was: a, driver: x}\n"),
    "of Windows": ("sensors:\r\n  a:\r\n    driver: x\r\n", "sensors:\r\n  b:\r\n    was: a\r\n    driver: x\r\n"),
    "its name elsewhere": ("# a\ntemplates: {a: {driver: x}}\nsensors: {a: {template: a}}\n", "# a\ntemplates: {a: {driver: x}}\nsensors: {b: {was: a, template: a}}\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", RENAMES)
def test_a_sensor_is_renamed(name: str) -> None:
    """Its key and ``was:``, nothing else."""
    before, after = RENAMES[name]
    assert edits.renamed(before, "a", "b") == after


@pytest.mark.parametrize(
    "text", ["sensors: {c: {driver: x}}", "sensors: {a: }", "x: &s {driver: y}\nsensors: {a: *s}\n", "sensors: [\n"]
)
def test_what_cannot_be_renamed_is_not(text: str) -> None:
    """One that is not there, that has no keys, or shares them with something else."""
    assert edits.renamed(text, "a", "b") is None


def test_where_a_sensor_stands() -> None:
    """From its name to its last key; what follows belongs to the next one."""
    lines = STARTER.splitlines()
    place = edits.place_of(STARTER, "well")
    assert place is not None
    assert not place.alone
    assert lines[place.first - 1] == "  well:"
    assert lines[place.last - 1].startswith("      pump:")
    assert edits.place_of(STARTER, "nobody") is None
    assert edits.place_of("sensors:\n  a:\n    x: |\n      text\n      more\n  # of b\n  b: {}\n", "a") == edits.SensorLines(
        2, 5, alone=False
    )
    assert edits.place_of("# head\nsensors:\n  a: {b: [1,\n    2]}\n", "a") == edits.SensorLines(3, 4, alone=True)
    assert edits.place_of("sensors: {a: {}}\ntemplates: {}\n", "a") == edits.SensorLines(1, 1, alone=False)


names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True).filter(lambda name: name not in ("n", "y", "was"))
values = st.recursive(
    st.one_of(names, st.integers(), st.sampled_from(["°C", "a: b", "# no", "null", "'", '"', "two\nlines", ""])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)
sensors = st.dictionaries(names, st.dictionaries(names, values, min_size=1, max_size=4), min_size=1, max_size=4)


@given(sensors, st.booleans() | st.none(), st.sampled_from(["", "# the end\n", "\n\n"]))
def test_whatever_the_text_looks_like(entries: dict[str, dict[str, object]], flow: bool | None, tail: str) -> None:
    """Either it says exactly what was meant, and lines that do not concern it are there as before, or nothing is done."""
    text = yaml.safe_dump({"sensors": entries}, default_flow_style=flow, allow_unicode=True, sort_keys=False) + tail
    old = next(iter(entries))
    new = old[:1] + "-new"
    before = parse(text, Path(), [])
    assert before is not None
    done = edits.renamed(text, old, new)
    if done is not None and new not in entries:
        after = parse(done, Path(), [])
        assert after is not None
        assert after.data["sensors"].pop(new) == {**before.data["sensors"][old], "was": old}
        assert after.data["sensors"] == {name: options for name, options in before.data["sensors"].items() if name != old}
    included = edits.with_include(text)
    if included is not None:
        assert included.startswith(text)
    place = edits.place_of(text, old)
    assert place is not None
    assert 1 <= place.first <= place.last <= len(text.splitlines())
    if flow is False and len(entries) > 1:  # without the lines that are told, the file is the same without the sensor
        lines = text.splitlines(keepends=True)
        rest = parse("".join(lines[: place.first - 1] + lines[place.last :]), Path(), [])
        assert rest is not None
        assert rest.data["sensors"] == {name: options for name, options in before.data["sensors"].items() if name != old}
