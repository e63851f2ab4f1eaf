// Several lines on one time, with their gaps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { align } from "../../../src/state/chart/alignment";
import { buckets, lineOf } from "./made";

test("a silence longer than the heartbeat is a gap, a shorter one is bridged", () => {
  const one = { ...lineOf(buckets([1, 2, null, null, null, 3, null, 4])), maxGap: 130 };
  const { time, columns } = align([one]);
  assert.deepEqual(time, [0, 60, 180, 300, 420]);
  assert.deepEqual(columns[0], [1, 2, null, 3, 4]);
});

test("lines of other steps do not break each other", () => {
  const [fine, coarse] = [lineOf(buckets([1, 2, 3, 4])), lineOf(buckets([5, 6], { time: [0, 120], step: "2min" }))];
  const { columns } = align([fine, coarse]);
  assert.deepEqual(columns[0], [1, 2, 3, 4]);
  assert.deepEqual(columns[4], [5, undefined, 6, undefined]); // undefined: no point, the line goes on
});

test("the period before has points and gaps of its own, also where there is nothing now", () => {
  const past = { ...lineOf(buckets([5, 6, null, null, null, 7])), maxGap: 130 };
  const now = { ...lineOf(buckets([1, 2, null, null, null, null])), before: past };
  const { time, columns } = align([now]);
  assert.deepEqual(time, [0, 60, 180, 300]);
  assert.deepEqual(columns[0], [1, 2, undefined, undefined]);
  assert.deepEqual(columns[3], [5, 6, null, 7]);
});
