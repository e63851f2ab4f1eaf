// What a chart draws of one series.

import assert from "node:assert/strict";
import { test } from "node:test";
import { line, rowAt } from "../../../src/state/chart/lines";
import { buckets, drawn, STEP } from "./made";

test("a counter is a rate: Wh an hour are W, and a step that has only begun is no dip", () => {
  const one = line(buckets([0, 0, 0], { kind: "counter", unit: "Wh", increase: [10, 10, 5] }), undefined, false, 150);
  assert.equal(one.unit, "W");
  assert.deepEqual(one.mid, [600, 600, 600]);
});

test("the mean is that of readings and stays between the extremes", () => {
  const one = drawn(buckets([20.123, 20.123, 20.123], { count: [3, 7, 11] }));
  assert.equal(one.summary.mean, 20.123);
  assert.equal(drawn(buckets([1, 4], { count: [2, 1] })).summary.mean, 2);
});

test("the row at a time, within a step", () => {
  const one = drawn(buckets([1, null, 3]));
  assert.equal(rowAt(one, 10, STEP), 0);
  assert.equal(rowAt(one, 119, STEP), 2);
  assert.equal(rowAt(one, 1000, STEP), null);
});
