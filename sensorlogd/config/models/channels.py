"""The model of a channel: its unit and kind, and how its readings are treated."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from sensorlogd.calibration.curves import Curve, polynomial, table
from sensorlogd.calibration.scaling import divisor
from sensorlogd.config.models.section import Section
from sensorlogd.config.models.values import DurationUs, Finite, Labels, Name, RatePerSecond, ShortText
from sensorlogd.counters import DIP, Counter
from sensorlogd.series_kinds import SeriesKind


def _check_not_zero(value: float) -> float:
    if value == 0:
        raise ValueError("0 would make every reading the same; write another number, or leave scale: out")
    return value


def _check_range(value: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = value
    if low is None and high is None:
        raise ValueError("[null, null] allows everything; leave it out")
    if low is not None and high is not None and not low < high:
        raise ValueError(f"the lowest value {low:g} is not below the highest {high:g}; write the lower one first")
    return value


def _unit(value: str) -> str:
    """``1``, which is kept as it is, stands for a quantity without a unit; any other number is a mistake."""
    if len(value) > 1 and value[0] in "=+-@":
        raise ValueError(f"{value!r} would be a formula in a spreadsheet; a unit begins with a letter or a sign, e.g. °C, %, µm")
    try:
        float(value.replace(",", "."))
    except ValueError:
        return value
    if value == "1" or value.lower() in ("nan", "inf", "infinity"):
        return value
    raise ValueError(
        f"{value!r} is a number, and a unit is a text, e.g. kg or °C; write the unit, or scale: {value} for a factor"
    )


class ChannelOptions(Section):
    """One channel of one sensor: what it measures and how its readings are treated before they are stored."""

    unit: Annotated[ShortText, AfterValidator(_unit)] = Field("", description="unit after scale and offset, e.g. °C, hPa, V")
    kind: SeriesKind = Field("gauge", description="how readings aggregate")
    dip: Annotated[float, Field(ge=0, lt=1)] = Field(
        DIP, description="of a counter: a fall by no more than this part of its value is a wobble, not a reset"
    )
    wrap: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="of a counter: the device goes on at 0 after this many (before scale), e.g. 65536 for one of 16 bits"
    )
    wrap_stored: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="the same as wrap, in the unit that is stored (after scale)"
    )
    decimals: int | None = Field(
        None,
        ge=0,
        le=15,
        description="decimal places in tables and CSV, in the unit that is stored; stored is every digit",
    )
    source: ShortText | None = Field(None, description="the field's name in the device's data, if it is not the channel's")
    scale: Annotated[Finite, AfterValidator(_check_not_zero)] = Field(
        1.0, description="stored value = device value * scale + offset"
    )
    offset: Finite = Field(0.0, description="see scale; a counter begins again at it")
    polynomial: tuple[Finite, ...] | None = Field(
        None, description="[c0, c1, c2, ...]: c0 + c1*x + c2*x² takes the place of the device value x; scale and offset follow"
    )
    table: tuple[tuple[Finite, Finite], ...] | None = Field(
        None, description="[[device value, true value], ...], with lines between the points; scale and offset follow"
    )
    valid: Annotated[tuple[Finite | None, Finite | None], AfterValidator(_check_range)] | None = Field(
        None, description="[lowest, highest] possible value; outside: fail:gross_range"
    )
    max_rate: RatePerSecond | None = Field(None, description="fastest possible change; above: suspect:rate_of_change")
    spike: Annotated[Finite, Field(gt=0)] | None = Field(
        None, description="a single reading off by more than this from both neighbours, which agree: suspect:spike"
    )
    stuck_after: DurationUs | None = Field(None, gt=0, description="the same value for this long is suspect:flat_line")
    deadband: Finite | None = Field(
        None, ge=0, description="store a reading only if it differs by more than this, or once a heartbeat"
    )
    was: Name | None = Field(None, description="the channel's former name, whose history goes on")
    unit_change: Literal["convert", "relabel", "new_series"] | None = Field(
        None, description="what to do with history stored in another unit"
    )
    labels: Labels = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_counter_keys(self) -> ChannelOptions:
        for key in ("wrap", "wrap_stored", "dip"):
            if self.kind != "counter" and key in self.model_fields_set:
                raise ValueError(
                    f"{key}: only counters have one; this channel is a {self.kind} (write kind: counter, or leave {key} out)"
                )
        if self.wrap is not None and self.wrap_stored is not None:
            raise ValueError("wrap: and wrap_stored: say the same, before and after scale; write one of them")
        return self

    @model_validator(mode="after")
    def _check_curve(self) -> ChannelOptions:
        if self.polynomial is not None and self.table is not None:
            raise ValueError("polynomial: and table: exclude each other; both are given, leave one out")
        name = "polynomial" if self.polynomial is not None else "table"
        try:
            curve = self.curve()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if curve is not None and self.wrap is not None:
            raise ValueError(f"wrap: of a channel with a {name}: write wrap_stored:, in the unit that is stored")
        return self

    def curve(self) -> Curve | None:
        """The calibration that is applied before scale and offset; None if there is none."""
        if self.polynomial is not None:
            return polynomial(self.polynomial)
        return None if self.table is None else table(self.table)

    def stored_wrap(self) -> float | None:
        """By how much the stored value falls when the counter begins anew; None if it is not set."""
        if self.wrap is None:
            return self.wrap_stored
        by = divisor(self.scale)
        return self.wrap * abs(self.scale) if by is None else self.wrap / abs(by)

    def counter(self) -> Counter | None:
        """The law by which the stored values rise and fall; None if the channel is not a counter."""
        return Counter(self.stored_wrap(), self.dip, self.offset) if self.kind == "counter" else None
