// One value, one text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { line } from "../../../src/state/chart/lines";
import { shownAt } from "../../../src/state/chart/values";
import { buckets, lineOf } from "./made";

test("a rate is rounded as computed values are", () => {
  const third = buckets([0], { kind: "counter", unit: "Wh", increase: [1 / 3] });
  const rate = line(third, undefined, { totals: false, asked: 1e9, place: 0 });
  assert.deepEqual(shownAt(rate, 0), { value: "20", band: null });
  assert.deepEqual(shownAt({ ...rate, low: [100 / 3], mid: [100 / 3], high: [100 / 3] }, 0), { value: "33.3333333", band: null });
});

test("readings that were alike have all their digits, others a rounded mean and a band", () => {
  const one = lineOf(buckets([20.5, 1 / 3], { min: [20.5, 0.1], max: [20.5, 0.5] }));
  assert.deepEqual(shownAt(one, 0), { value: "20.5", band: null });
  assert.deepEqual(shownAt({ ...one, places: 1 }, 1), { value: "0.333", band: { low: "0.1", high: "0.5" } });
  assert.deepEqual(shownAt({ ...one, decimals: 0 }, 0).value, "20");
});
