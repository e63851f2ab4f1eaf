// The days of a year: each from one midnight to the next.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BucketColumns } from "../../../src/state/columns";
import { daysOf, valuesOfDays } from "../../../src/state/pages/year";

/** Act where the clocks are those of `zone`. */
function within(zone: string, act: () => void): void {
  const before = process.env["TZ"];
  process.env["TZ"] = zone;
  try {
    act();
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
}

test("a day is as long as the clocks make it, and ends where the next one begins", () =>
  within("Europe/Berlin", () => {
    const days = daysOf(2026);
    const lengths = new Map(days.map(({ date, range }) => [date, range / 3600]));
    assert.deepEqual([days.length, days[0]?.date, days.at(-1)?.date], [365, "2026-01-01", "2026-12-31"]);
    assert.deepEqual(
      ["2026-03-29", "2026-06-01", "2026-10-25"].map((date) => lengths.get(date)),
      [23, 24, 25],
    );
    for (const [index, { until, range }] of days.slice(1).entries()) assert.equal(until - range, days[index]?.until);
  }));

test("a leap year has its day", () => assert.equal(daysOf(2028).length, 366));

test("days by their dates, also where the clocks are put back at midnight", () =>
  within("America/Havana", () => {
    const time = daysOf(2026).map(({ until, range }) => until - range);
    const values = valuesOfDays({ kind: "gauge", time, mean: time.map((_, row) => row) } as unknown as BucketColumns);
    assert.deepEqual(
      [...values.keys()],
      daysOf(2026).map(({ date }) => date),
    );
  }));
