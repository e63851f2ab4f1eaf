// Bars of what was counted, and what it cost.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Cost } from "../../../src/load/types";
import type { BucketColumns } from "../../../src/state/columns";
import { barsOf, costOf, costs, period } from "../../../src/state/pages/consumption";

test("bars: a day has its hours, a month its days, and days without readings have no bar", () => {
  const [since, until] = period("1d", new Date(2026, 1, 14).getTime() / 1000);
  const counted = { time: [new Date(2026, 1, 3).getTime() / 1000], increase: [7] } as unknown as BucketColumns;
  const days = barsOf(counted, "1d", since, until);
  assert.equal(days.length, 28);
  assert.deepEqual([days[1]?.value, days[2]?.value, days[2]?.label], [null, 7, "3"]);
  assert.equal(barsOf({ ...counted, time: [] }, "1mo", ...period("1mo", since)).length, 12);
});

test("bars: what was counted in another period is in no bar of this one, though the label is the same", () => {
  const [since, until] = period("1h", new Date(2026, 1, 14, 12).getTime() / 1000);
  const counted = { time: [since - 86_400, since + 3600, until], increase: [7, 8, 9] } as unknown as BucketColumns;
  const bars = barsOf(counted, "1h", since, until);
  assert.deepEqual([bars[0]?.value, bars[1]?.value, bars.length], [null, 8, 24]);
});

test("bars: the hour that comes twice in autumn is two bars, each with what it counted and cost", () => {
  const before = process.env["TZ"];
  process.env["TZ"] = "Europe/Berlin";
  try {
    const [since, until] = period("1h", Date.UTC(2026, 9, 25, 12) / 1000); // 25 hours
    const time = Array.from({ length: 25 }, (_, hour) => since + hour * 3600);
    const counted = { time, increase: time.map((_, hour) => hour + 1) } as unknown as BucketColumns;
    const bars = barsOf(counted, "1h", since, until);
    assert.deepEqual(
      bars.map((bar) => bar.value),
      time.map((_, hour) => hour + 1),
    );
    assert.deepEqual([bars[2]?.label, bars[3]?.label], ["02", "02"]);
    const paid = costs({ time, cost: time.map((_, hour) => hour / 10) } as unknown as Cost, "1h");
    assert.deepEqual([paid.at(bars[2]?.at ?? 0), paid.at(bars[3]?.at ?? 0)], [0.2, 0.3]);
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
});

test("each counter has what it cost itself; one without a price has none, whatever stands first", () => {
  const prices = [{ series: "heat.energy" }, { series: "meter.energy" }] as Cost[];
  const counter = (sensor: string) => ({ sensor, channel: "energy" }) as BucketColumns;
  assert.deepEqual(
    ["meter", "heat", "solar"].map((name) => costOf(prices, counter(name))?.series),
    ["meter.energy", "heat.energy", undefined],
  );
});
