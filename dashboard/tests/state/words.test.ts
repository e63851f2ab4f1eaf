// Times and ages in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { age, day, duration, momentOf, ticks } from "../../src/state/words";

test("ages in words", () => {
  assert.deepEqual([0.5, 90, 3600, 100000].map(age), ["now", "1 min 30 s ago", "1 h ago", "1 d 3 h ago"]);
  assert.equal(age(null), "never");
  assert.equal(duration(59.9), "59 s");
});

test("no two marks of a time axis read alike beside each other", () => {
  for (const step of [0.1, 1, 60, 3600, 43200, 86400, 366 * 86400, 730 * 86400]) {
    const marks = ticks(
      Array.from({ length: 12 }, (_, index) => 1.7e9 + index * step),
      step,
    );
    assert.ok(
      marks.every((one, index) => index === 0 || one !== marks[index - 1]),
      `${step}: ${marks}`,
    );
  }
});

test("marks at the beginnings of years are the years", () => {
  const years = [2016, 2017, 2018].map((year) => new Date(year, 0, 1).getTime() / 1000);
  assert.deepEqual(ticks(years, 365 * 86400), ["2016", "2017", "2018"]);
});

test("a date has four digits of the year, as fields of dates want it", () => {
  assert.equal(day(new Date("0002-11-27T12:00:00").getTime() / 1000), "0002-11-27");
});

test("a day and a time are a moment, unless the year is one that is being typed", () => {
  const noon = new Date(2026, 10, 27, 12, 30).getTime() / 1000;
  assert.deepEqual([momentOf("2026-11-27", "12:30"), momentOf("2026-11-27", "12:30:05")], [noon, noon + 5]);
  assert.equal(momentOf("1970-01-02", "00:00"), new Date(1970, 0, 2).getTime() / 1000);
  for (const [date, time] of [
    ["0002-11-27", "12:30"],
    ["0202-11-27", "12:30"],
    ["1969-12-31", "00:00"],
    ["", "12:30"],
    ["2026-11-27", "noon"],
  ] as const)
    assert.equal(momentOf(date, time), null, date);
});
