"""Queries that nobody would ask but somebody will: a grammar of PromQL whose leaves are extremes."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.web.conftest import T0, S

Text = st.SearchStrategy[str]

NUMBERS = st.sampled_from((
    "0", "-0", "1", "-1", "2.5", "3", "0x1f", "NaN", "Inf", "-Inf", "1e308", "-1e308", "5e-324", "9007199254740993", "1e19", "-1e-9",
))  # fmt: skip
WINDOWS = st.sampled_from(("1ms", "1s", "30s", "5m", "1h30m", "1h", "2h", "1d", "1w", "1y", "290y", "9000y", "999999y"))
STEPS = st.sampled_from(("", "1ms", "1s", "1m", "7m", "1h", "1y", "9000y"))
OFFSETS = st.sampled_from(
    ("", "", "", " offset 5m", " offset -5m", " offset 1y", " offset -290y", " offset 9000y", " offset 999999y")
)
# Times that the calendar has not got are drawn seldom: whatever they stand in is refused.
ATS = st.sampled_from((
    *("", "", "", "", " @ start()", " @ end()", f" @ {T0 // S + 3600}", " @ 1e9", " @ 0") * 4,
    " @ -1", " @ 1e15", " @ -1e15", " @ 253402300799.999", " @ 9223372036", " @ 0.0005",
))  # fmt: skip
LABELS = st.sampled_from(("room", "sensor", "unit", "nobody", "x"))
STRINGS = st.sampled_from((
    "", "2", "lab", "°C", "löß", "Ж", "\\u0000", "\\xff", "\\U0001F321", "$1", "${1}-$2$$", "a b", "__name__", "9", "l" * 300,
))  # fmt: skip
PATTERNS = st.sampled_from((
    *("", ".*", ".+", "l.*", "(?P<a>.)(.*)", "(a*)*b", "(.*.*.*.*)*x", "°.", "(?i)LAB") * 4,
    "(", "[", "*", "a{1000}{1000}", "(?=x)", "\\\\1", "x" * 1001,
))  # fmt: skip

ELEMENTWISE = (
    "abs", "ceil", "floor", "exp", "ln", "log2", "log10", "sqrt", "sgn", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh",
    "asinh", "acosh", "atanh", "deg", "rad", "minute", "hour", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "month", "year",
    "absent", "sort", "sort_desc", "timestamp", "round",
)  # fmt: skip
OF_WINDOWS = (
    "rate", "increase", "delta", "irate", "idelta", "deriv", "changes", "resets", "avg_over_time", "sum_over_time", "min_over_time", "max_over_time",
    "count_over_time", "stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time", "absent_over_time", "mad_over_time",
)  # fmt: skip
REDUCTIONS = ("sum", "avg", "min", "max", "count", "group", "stddev", "stdvar")
ARITHMETIC, COMPARISON, SETS = (
    ("+", "-", "*", "/", "%", "^", "atan2"),
    ("==", "!=", ">", "<", ">=", "<="),
    ("and", "or", "unless"),
)


def _of(form: str, **parts: Text) -> Text:
    """``form`` with each of its parts drawn."""
    return st.fixed_dictionaries(parts).map(lambda drawn: form.format(**drawn))


def _names(names: tuple[str, ...]) -> Text:
    return st.sampled_from(names)


MATCHERS = st.one_of(
    _of('{label}{op}"{value}"', label=LABELS, op=_names(("=", "!=")), value=STRINGS),
    _of('{label}{op}"{value}"', label=LABELS, op=_names(("=~", "!~")), value=PATTERNS),
    st.just('"löß"="x"'),
)
SELECTORS = st.one_of(
    _of("{name}{at}{offset}", name=_names(("t", "n", "t", "n", "nothing", '{__name__=~".+"}', '{"t"}')), at=ATS, offset=OFFSETS),
    _of(
        "{name}{matchers}{at}{offset}",
        name=_names(("t", "n", "nothing", "")),
        matchers=st.lists(MATCHERS, min_size=1, max_size=3).map(lambda some: "{" + ", ".join(some) + "}"),
        at=ATS,
        offset=OFFSETS,
    ),
)
# Where ``@`` and ``offset`` belong behind the window.
BARE = st.one_of(_names(("t", "n", "nothing", '{__name__=~".+"}')), _of("t{{{matcher}}}", matcher=MATCHERS))
LISTS = st.lists(LABELS, max_size=3, unique=True).map(", ".join)
MODIFIERS = st.one_of(st.just(""), _of(" {how} ({labels})", how=_names(("by", "without")), labels=LISTS))
IGNORING = st.one_of(st.just(""), _of(" {how}({labels})", how=_names(("on", "ignoring")), labels=LISTS))
GROUPS = _of(" {group}({more})", group=_names(("group_left", "group_right")), more=LISTS)
MATCHING = st.one_of(IGNORING, _of("{how}{group}", how=IGNORING.filter(bool), group=GROUPS))


def _scalars(vectors: Text, scalars: Text) -> Text:
    return st.one_of(
        NUMBERS,
        _names(("time()", "pi()")),
        _of("scalar({v})", v=vectors),
        _of("({a} {op} {b})", a=scalars, op=_names(ARITHMETIC), b=scalars),
        _of("({a} {op} bool {b})", a=scalars, op=_names(COMPARISON), b=scalars),
        _of("(-{a})", a=scalars),
    )


def _ranges(vectors: Text, scalars: Text) -> Text:
    return st.one_of(
        _of("{s}[{window}]{at}{offset}", s=BARE, window=WINDOWS, at=ATS, offset=OFFSETS),
        _of("({v})[{window}:{step}]{at}{offset}", v=vectors, window=WINDOWS, step=STEPS, at=ATS, offset=OFFSETS),
    )


def _vectors(vectors: Text, scalars: Text, ranges: Text) -> Text:
    return st.one_of(
        SELECTORS,
        _of("{f}({r})", f=_names(OF_WINDOWS), r=ranges),
        _of("quantile_over_time({a}, {r})", a=scalars, r=ranges),
        _of("predict_linear({r}, {a})", a=scalars, r=ranges),
        _of("{f}({v})", f=_names(ELEMENTWISE), v=vectors),
        _of("vector({a})", a=scalars),
        _of("clamp({v}, {a}, {b})", v=vectors, a=scalars, b=scalars),
        _of("{f}({v}, {a})", f=_names(("round", "clamp_min", "clamp_max")), v=vectors, a=scalars),
        _of('label_replace({v}, "{to}", "{new}", "{of}", "{p}")', v=vectors, to=LABELS | STRINGS, new=STRINGS, of=LABELS | STRINGS, p=PATTERNS),
        _of('label_join({v}, "{to}", "{sep}", "{a}", "{b}")', v=vectors, to=LABELS | STRINGS, sep=STRINGS, a=LABELS, b=LABELS | STRINGS),
        _of("{f}{by} ({v})", f=_names(REDUCTIONS), by=MODIFIERS, v=vectors),
        _of("{f}{by} ({a}, {v})", f=_names(("topk", "bottomk", "quantile", "limitk")), by=MODIFIERS, a=scalars, v=vectors),
        _of('count_values{by} ("{label}", {v})', by=MODIFIERS, label=LABELS | STRINGS, v=vectors),
        _of("({a} {op}{how} {b})", a=vectors, op=_names((*ARITHMETIC, *COMPARISON, *(f"{op} bool" for op in COMPARISON))), how=MATCHING, b=vectors),
        _of("({a} {op}{how} {b})", a=vectors, op=_names(SETS), how=IGNORING, b=vectors),
        _of("({a} {op} {b})", a=vectors, op=_names((*ARITHMETIC, *COMPARISON)), b=scalars),
        _of("({a} {op} bool {b})", a=scalars, op=_names(COMPARISON), b=vectors),
        _of("(-{v})", v=vectors),
    )  # fmt: skip


def _levels(depth: int) -> tuple[Text, Text, Text]:
    """Vectors, scalars and ranges that are nested so deeply."""
    vectors, scalars = SELECTORS, NUMBERS
    ranges = _ranges(vectors, scalars)
    for _ in range(depth):
        ranges = _ranges(vectors, scalars)
        vectors, scalars = _vectors(vectors, scalars, ranges), _scalars(vectors, scalars)
    return vectors, scalars, ranges


DEPTH = 4
VECTORS, SCALARS, RANGES = _levels(DEPTH)
QUERIES: Text = st.one_of(VECTORS, VECTORS, VECTORS, SCALARS, RANGES, STRINGS.map(lambda text: f'"{text}"'))
