"""Mistakes of beginners are told in plain words: the place, what was found, what is allowed, the cure, no word of a library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.config.text import syntax
from sensorlogd.drivers.registry import options_for
from tests.config.beginners import GOOD, MISTAKES, Mistake

OF_LIBRARIES = re.compile(
    r"pydantic|pyserial|PyYAML|yaml\.|\bmappings?\b|\bscalar|\bsequence\b|\btuple\b|\bdict(ionary)?\b|\bnode\b|\btoken|\balias|\banchor"
    r"|\bstream\b|\bblock\b|\bflow (map|seq)|simple key|expected (key|alphabetic|whitespace|['<])|\bescape character"
    r"|\bvalid (integer|number|string|boolean|list|tuple|dict)|\b(int|str|float|bool|None|NoneType)\b|\binteger\b|\bboolean\b"
    r"|parse string|unable to|[Ii]nput should|instance of|Options\b|extra_forbidden|validation|greater than|less than or|Field required"
    r"|\bliteral\b|type=|Traceback|Error\b"
)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_text(text, Path("home.yaml"), options_for)
    return [str(error) for error in caught.value.errors]


def test_the_file_that_mistakes_are_made_in_is_good() -> None:
    """Else the table would show nothing."""
    load_text(GOOD, Path("home.yaml"), options_for)
    assert len(MISTAKES) >= 60
    assert len({mistake.what for mistake in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what.replace(" ", "-"))
def test_a_mistake_is_told_in_plain_words(mistake: Mistake) -> None:
    """Place, what was found, what is allowed, what to write."""
    assert mistake.old in GOOD
    problems = errors(GOOD.replace(mistake.old, mistake.new, 1))
    assert problems[0].startswith(f"home.yaml:{mistake.place}: ")
    for part in (mistake.found, mistake.allowed, mistake.cure):
        assert part, "the table is incomplete"
        assert part in problems[0]
    for line in problems:
        jargon = OF_LIBRARIES.search(line)
        assert jargon is None, f"{jargon[0] if jargon else ''}: {line}"


_pieces = st.lists(
    st.sampled_from(["a", "key:", " ", "  ", "\n", "\n  ", "- ", "-", "[", "]", "{", "}", ",", '"', "'", "#", ": ", "|", ">", "\t", "%", "*x", "&y", "!", "\\", "=", "1"]),
    max_size=40,
).map("".join)  # fmt: skip


@settings(max_examples=500)
@given(_pieces)
def test_whatever_is_no_yaml_is_explained(text: str) -> None:
    """A place inside of the text, and no word of the parser."""
    try:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        found = syntax.explain(text, error)
        assert 1 <= found.line <= text.count("\n") + 1
        assert found.col >= 1
        assert OF_LIBRARIES.search(found.problem) is None, found.problem
    except yaml.YAMLError:
        pass


@pytest.mark.parametrize(
    "legal",
    [
        "note: a long text\n  over two lines\n",
        "note: |\n  a: [b\n  'c\n",
        "list: [a,\n  b,\n  c]\n",
        "map: {\n  a: {x: 1},\n  b: 'it''s'\n}\n",
        'port: socket://host:1\nquote: "it\'s \\" fine" # [\n',
        "- a: 1\n  b:\n  - c\n  - d: {e: [1, 2]}\n",
        "unit: m]\nother: it's\n",
    ],
)
def test_what_is_legal_is_not_blamed(legal: str) -> None:
    """The mistake comes after it, and is the one that is told."""
    at = legal.count("\n") + 1
    text = legal + ("wrong\n" if not legal.startswith("-") else "- f: 'wrong\n")
    text += "next: 1\n"
    with pytest.raises(yaml.MarkedYAMLError) as raised:
        yaml.compose(text, Loader=yaml.CSafeLoader)
    assert syntax.explain(text, raised.value).line == at


@pytest.mark.parametrize("unit", ["kg", "°C", "%", "1", "m3/h", "1/s", "10^3/uL"])
def test_units_are_texts(unit: str) -> None:
    """``1`` stands for a quantity without a unit."""
    config = load_text(GOOD.replace("unit: '%'", f"unit: '{unit}'"), Path("home.yaml"), options_for)
    assert config.sensors["cellar"].channel_options()["humidity"].unit == unit


@pytest.mark.parametrize("unit", ["three", "3.5"])
def test_units_of_modbus_are_whole_numbers(unit: str) -> None:
    boiler = GOOD[GOOD.index("  boiler:") :]
    bus = f"  boiler: {{driver: modbus, port: /dev/serial/by-id/usb-bus, unit: {unit}, channels: {{flow: {{address: 1}}}}}}\n"
    problems = errors(GOOD.replace(boiler, bus))
    assert f"sensors.boiler.unit: must be a whole number, found '{unit}'; write digits" in problems[0]
