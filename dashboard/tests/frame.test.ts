// What a chart draws of what the API answers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { align, type BucketColumns, joined, line, pictures, range, rowAt } from "../src/state/frame";

const STEP = 60;

function buckets(mean: (number | null)[], more: Partial<BucketColumns> = {}): BucketColumns {
  const time = mean.map((_, row) => row * STEP);
  return {
    sensor: "a",
    channel: "t",
    unit: "°C",
    kind: "gauge",
    step: "1min",
    since: 0,
    until: mean.length * STEP,
    source: "readings",
    resolution: "raw",
    notes: [],
    time,
    count: mean.map((one) => (one === null ? 0 : 1)),
    mean,
    min: mean,
    max: mean,
    last: mean,
    ...more,
  } as BucketColumns;
}

const drawn = (buckets: BucketColumns) => line(buckets, undefined, false, 1e9);

test("what is flagged stays out of the axis, and is counted", () => {
  const one = drawn(buckets([20, 85, 21], { suspect: [0, 1, 0], fail: [0, 0, 2], missing: [0, 0, 1] }));
  const [low, high] = range([one]);
  assert.ok(low < 20 && low > 15 && high > 21 && high < 30, `${low} ${high}`);
  assert.equal(one.summary.flagged, 4);
});

test("if all is flagged the axis shows it", () => {
  const [low, high] = range([drawn(buckets([85, 86], { suspect: [1, 1] }))]);
  assert.ok(low < 85 && high > 86);
});

test("a silence longer than the heartbeat is a gap, a shorter one is bridged", () => {
  const one = drawn(buckets([1, 2, null, null, null, 3, null, 4]));
  const { time, columns } = align([one], [130]);
  assert.deepEqual(time, [0, 60, 180, 300, 420]);
  assert.deepEqual(columns[0], [1, 2, null, 3, 4]);
});

test("lines of other steps do not break each other", () => {
  const [fine, coarse] = [drawn(buckets([1, 2, 3, 4])), drawn(buckets([5, 6], { time: [0, 120], step: "2min" }))];
  const { columns } = align([fine, coarse], [100, 200]);
  assert.deepEqual(columns[0], [1, 2, 3, 4]);
  assert.deepEqual(columns[4], [5, undefined, 6, undefined]); // undefined: no point, the line goes on
});

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

test("the last steps asked again take the place of the old ones, and no column gets longer than another", () => {
  const old = buckets([1, 2, 3, 4]);
  const tail = buckets([9, 9], { time: [180, 240] });
  const whole = joined(old, tail, 60);
  assert.deepEqual(whole.time, [60, 120, 180, 240]);
  assert.deepEqual(whole.mean, [2, 3, 9, 9]);
  assert.equal(whole.count?.length, 4);
});

test("the row at a time, within a step", () => {
  const one = drawn(buckets([1, null, 3]));
  assert.equal(rowAt(one, 10, STEP), 0);
  assert.equal(rowAt(one, 119, STEP), 2);
  assert.equal(rowAt(one, 1000, STEP), null);
});

test("units share a picture up to so many, states have their own", () => {
  const of = (unit: string, kind = "gauge") => ({ ...drawn(buckets([1])), unit, kind });
  const groups = pictures([of("a"), of("b"), of("a"), of("", "state"), of("c")], 2);
  assert.deepEqual(
    groups.map((group) => group.map((one) => one.unit)),
    [["a", "b", "a"], ["c"], [""]],
  );
});
