"""Which regular expressions are taken, on which engine, and that none of them can be made expensive."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sensorlogd
from sensorlogd.drivers.serial.regex import expressions
from sensorlogd.drivers.serial.regex.ambiguity import TooComplex, _Automaton, degree
from sensorlogd.drivers.serial.regex.expressions import LineTooLong, expression, linear_bytes
from tests.drivers.decoders.decoding import options


@pytest.fixture
def no_re2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the package."""
    expression.cache_clear()
    monkeypatch.setattr(expressions, "_re2", lambda pattern: None)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"T=(?P<t>[\d.]+)", 1), (r"^(?:\d+,)*$", 1), (r"^(ab|a)(bc|c)*$", 1), (r"(?P<a>\d+) *(?P<b>\d*)", 1), (r"^\s*(-?\d+)\s*$", 1),
        (r"(?P<a>.+),(?P<b>.*)", 2), (r"^a*a*b", 2), (r"a*a*b", 3), (r"(?:\d+,)*x", 2), (r"^\d*(?=\d*x)", 2), (r"^(?<!T)\d+x", 1),
        (r"(a+)+$", None), (r"(a*)*b", None), (r"(a|a)*b", None), (r"^(?:a|ab|b)*$", None), (r"^(?P<t>(?:\d+\.?)+) *C$", None),
        (r"(,\s*[^,]+)+$", None), (r"^(a?){30}a{30}", None), (r"^(?:\d{1,3}){20}x", None), (r"(?i)^(kx|\u212ax)*y", None),
        (r"^(?:(?i:a)|A)*x", None), (r"^(?:(?i:ab)|AB)*x", None), (r"^(?:(?i:a)|B)*x", 1), (r"(?i)^(?:a|(?-i:b))*x", 1),
        (r"(?i)^(?:a(?-i:b)|a(?-i:B))*x", 1), (r"(?i:^(?:a|(?-i:A))*x)", None), (r"^(?:(?s:.)|\n)*x", None), (r"^(?:.|\n)*x", 1),
        (r"(?s)^(?:(?-s:.)|\n)*x", 1), (r"^(?!(?i:a|A)*x)y", 2), (r"^(?i:(?!(?:ab|AB)*x))y", None), (r"^b*(?i:B*c)", 2), (r"^b(?i:c*a?)", 1),
        (r"(?m:^)a*b", 2), (r"(?m:a|^)b*c", 2), (r"(?a)^(?:\W.|\xe9.)*x", None), (r"^(?:\W.|\xe9.)*x", 1), (r"^(?a:\W.|\xe9.)*x", None),
        (r"(?a)^(?u:\W.|\xe9.)*x", 1), (r"(?i)^(?:i.|\u0130.)*x", None), (r"(?i)^(?:i.|[\u0100-\u0250].)*x", None),
    ],
)  # fmt: skip
def test_how_long_it_can_take(pattern: str, expected: int | None) -> None:
    """1: in proportion to the line; n: as its nth power; None: exponential."""
    assert degree(pattern) == expected


@given(
    body=st.one_of(
        st.tuples(st.sampled_from("iksaz\xb5\xdf\xe5\xff\u0130\u0131\u017f\u0178\u0250\u1e9e\u212a"), st.integers(0, 400)).map(
            lambda ends: f"[{ends[0]}-{chr(ord(ends[0]) + ends[1])}]"
        ),
        st.characters(codec="latin-1").map(re.escape),
        st.sampled_from(
            [r"\d", r"\D", r"\s", r"\S", r"\w", r"\W", ".", r"[^\W]", r"[^\w]", r"[\d\xe9]", "[^a-f]", "[^\xe9]", "[^k]"]
        ),
    ),
    flags=st.sampled_from(["", "i", "s", "a", "ai", "as", "ais"]),
)
def test_what_one_step_reads(body: str, flags: str) -> None:
    """No character is forgotten that the engine takes."""
    pattern = f"(?{flags}:{body})" if flags else body
    matches = re.compile(pattern).fullmatch
    automaton = _Automaton(int(re.UNICODE))
    automaton.sequence(parser.parse(pattern), [])
    [read] = automaton.sets
    found = "".join(chr(code) for code in range(256) if read >> code & 1)
    assert found == "".join(chr(code) for code in range(256) if matches(chr(code)))
    assert read >> 256 or not any(matches(chr(code)) for code in range(256, 0x2200))


def test_what_cannot_be_judged_is_not_taken_on_trust(no_re2: None) -> None:
    """A reference to a group; a repeat of thousands."""
    for pattern in (r"^(a+)\1$", r"^(?:[ab]{1000})*x"):
        with pytest.raises(TooComplex):
            degree(pattern)
        with pytest.raises(ValueError, match="cannot be judged"):
            expression(pattern)


def test_one_that_explodes_is_refused_with_the_configuration(no_re2: None) -> None:
    """With what to do about it."""
    with pytest.raises(Exception, match=r"could take for ever.*google-re2"):
        options(r"driver: serial, format: {type: regex, pattern: '^(?P<t>(?:\d+\.?)+) *C$'}")


def test_where_re2_is_installed_it_is_taken() -> None:
    """In the time of a moment, on a line that would take a backtracking engine longer than the universe."""
    pytest.importorskip("re2")
    expression.cache_clear()
    made = expression(r"^(?P<t>(?:\d+\.?)+) *C$")
    began = time.process_time()
    assert made.search("1" * 4000) is None
    assert made.search("21.5 C").groupdict() == {"t": "21.5"}
    assert made.engine == "re2"
    assert time.process_time() - began < 5


def test_what_grows_with_a_power_is_tried_on_short_lines_only(no_re2: None) -> None:
    """The line is bad, with the reason."""
    made = expression(r"(?P<a>.+),(?P<b>.*)")
    assert made.search("1,2")["b"] == "2"
    assert made.limit is not None
    with pytest.raises(LineTooLong, match="is too long"):
        made.search("1" * (made.limit + 1))


def test_shipped_profiles_need_no_other_engine() -> None:
    """Every expression in them takes time in proportion to the line."""
    found = 0
    for path in sorted((Path(sensorlogd.__file__).parent / "profiles").glob("*.yaml")):
        form = yaml.safe_load(path.read_text())["sensor"].get("format", {})
        for key in ("pattern", "only", "skip", "aside"):
            if form.get(key):
                assert degree(form[key]) == 1, f"{path.name}: {key}"
                found += 1
    assert found >= 7


def test_records_aside_take_time_in_proportion() -> None:
    """They are searched in bytes, by Python's engine."""
    assert linear_bytes(":[0-9A-F]+\n").search(b"x:A0\n")
    with pytest.raises(ValueError, match="too long"):
        linear_bytes("[0-9]+[0-9A-F]+\n")
    # In bytes a dot is a newline too, and no byte above 7F is a letter.
    for pattern in (r"^(?:..|.\n)*x", r"^(?:\W.|\xe9.)*x"):
        assert degree(pattern) == 1
        with pytest.raises(ValueError, match="too long"):
            linear_bytes(pattern)


def _random_pattern(rng: random.Random, depth: int = 0) -> str:
    kind = rng.random()
    if depth > 3 or kind < 0.35:
        return rng.choice(["a", "A", "b", "[ab]", ".", r"\d", "1", "(?:)", "[^a]"])
    if kind < 0.6:
        return _random_pattern(rng, depth + 1) + _random_pattern(rng, depth + 1)
    if kind < 0.72:
        return f"(?:{_random_pattern(rng, depth + 1)}|{_random_pattern(rng, depth + 1)})"
    if kind < 0.8:
        return f"(?{rng.choice(['i', '-i', 's', 'm'])}:{_random_pattern(rng, depth + 1)})"
    return f"(?:{_random_pattern(rng, depth + 1)})" + rng.choice(["*", "+", "?", "*?", "{2}", "{1,3}", "{2,}", "{0,9}"])


def _overdue(*_: object) -> None:
    raise TimeoutError


def test_what_is_judged_cheap_is_cheap() -> None:
    """Random expressions on lines that repeat and then do not fit: Python's engine is done with 3000 characters in a moment."""
    lines = [unit * (3000 // len(unit)) + "c" for unit in ("a", "b", "1", "ab", "a1", "abb1", "aA", "A\n")]
    before = signal.signal(signal.SIGALRM, _overdue)
    cheap = 0
    try:
        for seed in range(400):
            rng = random.Random(seed)
            pattern = rng.choice(["^", "", "(?i)^"]) + _random_pattern(rng) + rng.choice(["", "x", "$", "b"])
            try:
                if degree(pattern) != 1:
                    continue
            except TooComplex:
                continue
            cheap += 1
            signal.setitimer(signal.ITIMER_REAL, 20)
            for line in lines:
                re.search(pattern, line)
            signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeoutError:
        pytest.fail(f"{pattern} takes too long (seed {seed})")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert cheap > 50
