// What a chart draws of one series.

import assert from "node:assert/strict";
import { test } from "node:test";
import { line, linesOf, rowAt, shownOf } from "../../../src/state/chart/lines";
import { buckets, charted, lineOf, STEP } from "./made";

test("a counter is a rate: Wh an hour are W, and a step that has only begun is no dip", () => {
  const one = line(buckets([0, 0, 0], { kind: "counter", unit: "Wh", increase: [10, 10, 5] }), undefined, {
    totals: false,
    asked: 150,
    place: 0,
  });
  assert.equal(one.unit, "W");
  assert.deepEqual(one.mid, [600, 600, 600]);
});

test("how long a step has lasted is judged by when it was asked for, not by where a view of the past ends", () => {
  const meter = buckets([0, 0, 0, 0], { kind: "counter", unit: "Wh", increase: [10, 10, 10, 10] });
  const past = { series: [meter], before: [], unknown: [], notes: [], since: 0, until: 195, asked: 1e9 };
  assert.deepEqual(linesOf(past, [], false)[0]?.mid, [600, 600, 600, 600]);
  assert.deepEqual(linesOf({ ...past, asked: 195 }, [], false)[0]?.mid, [600, 600, 600, 2400]);
});

test("the mean of a rate is what the counter rose by over all of the time: a step that has just begun weighs little", () => {
  const meter = buckets([0, 0], { kind: "counter", unit: "Wh", step: "1h", increase: [1000, 1000], time: [0, 3600] });
  const one = line(meter, undefined, { totals: false, asked: 3600 + 730, place: 0 });
  assert.ok(Math.abs((one.summary.mean ?? 0) - (2000 * 3600) / (3600 + 730)) < 1e-9);
  const [january, february, march] = [0, 1, 2].map((month) => new Date(2026, month, 1).getTime() / 1000) as [
    number,
    number,
    number,
  ];
  const months = { ...meter, step: "1mo", time: [january, february], increase: [744, 0] };
  const mean = line(months, undefined, { totals: false, asked: 1e10, place: 0 }).summary.mean ?? 0;
  assert.ok(Math.abs(mean - (744 * 3600) / (march - january)) < 1e-9);
});

test("the mean is that of readings and stays between the extremes", () => {
  const one = lineOf(buckets([20.123, 20.123, 20.123], { count: [3, 7, 11] }));
  assert.equal(one.summary.mean, 20.123);
  assert.equal(lineOf(buckets([1, 4], { count: [2, 1] })).summary.mean, 2);
});

test("the row at a time, within a step", () => {
  const one = lineOf(buckets([1, null, 3]));
  assert.equal(rowAt(one, 10, STEP), 0);
  assert.equal(rowAt(one, 119, STEP), 2);
  assert.equal(rowAt(one, 1000, STEP), null);
});

test("the period before is a line as the present one is: of states and totals the last value, of counters the rate of its own steps", () => {
  const how = { totals: false, asked: 1e9, place: 0, shift: 3600 };
  const pastOf = (kind: string, more = {}) => {
    const past = buckets([0.5, 0.5], { kind, last: [1, 0], increase: [10, 20], unit: "Wh", ...more });
    return line(buckets([1], { kind, increase: [1], unit: "Wh" }), undefined, { ...how, ...more, before: past }).before;
  };
  assert.deepEqual(pastOf("state")?.mid, [1, 0]);
  assert.deepEqual(pastOf("counter", { totals: true })?.mid, [1, 0]);
  assert.deepEqual(pastOf("counter")?.mid, [600, 1200]);
  assert.deepEqual(pastOf("gauge")?.mid, [0.5, 0.5]);
  assert.deepEqual(pastOf("gauge")?.time, [3600, 3660]);
  assert.equal(line(buckets([1]), undefined, how).before, null);
});

test("each line knows its place, which is its colour, also while others are hidden", () => {
  const lines = linesOf(charted("b", "c", "d"), [], false);
  const shown = shownOf(lines, new Set(["a.c"]));
  assert.deepEqual(
    shown.map((line) => [line.name, line.place]),
    [
      ["a.b", 0],
      ["a.d", 2],
    ],
  );
});
