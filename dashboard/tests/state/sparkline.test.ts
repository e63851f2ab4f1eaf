// The small curve of the last hour.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pathOf } from "../../src/state/sparkline";

const SIZE = { width: 104, height: 34 };
const path = (time: number[], value: (number | null)[], maxGap_s = 3600) =>
  pathOf({ time, value, increase: null, counted: null }, maxGap_s, SIZE);

test("the curve ends at the right, an hour is as wide as the picture, the lowest value stands at the foot", () => {
  assert.equal(path([0, 1800, 3600], [10, 30, 20]), "M2.0 30.0h.01L52.0 4.0L102.0 17.0");
  assert.equal(path([3600], [5]), "M102.0 17.0h.01");
});

test("a curve that was not moved on yet is longer than an hour, and drawn whole", () => {
  assert.equal(path([0, 7200], [1, 2], 7200), "M2.0 30.0h.01L102.0 4.0");
});

test("it is broken where nothing came for longer than that is no gap, and not where one minute has no value", () => {
  assert.equal(path([0, 60, 120, 3600], [1, null, 1, 1], 120), "M2.0 17.0h.01L5.3 17.0M102.0 17.0h.01");
});

test("without values there is no curve", () => {
  assert.deepEqual([path([], []), path([60], [null])], ["", ""]);
});
