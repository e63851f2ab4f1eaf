// The small curves of the last hour.

import assert from "node:assert/strict";
import { test } from "node:test";
import { curveOf, extended, isOutdated } from "../../src/load/curves";
import type { BucketColumns } from "../../src/state/columns";
import type { Curve } from "../../src/state/model";

test("a curve goes on by the minute and forgets what is older than an hour", () => {
  const reading = (time: number, value: number) => ({ time, value, sensor: "a", channel: "b", unit: "", quality: "good" });
  const counted = { increase: null, counted: null };
  let curve: Curve = { time: [0, 60], value: [1, 2], ...counted };
  curve = extended(curve, reading(70, 3));
  assert.deepEqual(curve, { time: [0, 60], value: [1, 3], ...counted });
  curve = extended(curve, reading(125, 4));
  assert.deepEqual(curve, { time: [0, 60, 120], value: [1, 3, 4], ...counted });
  assert.deepEqual(extended(curve, reading(3700, 5)), { time: [120, 3660], value: [4, 5], ...counted });
});

test("by how much a counter rose is what the API counts, wraps and all, and it is asked for again each minute", () => {
  const wrapped = { kind: "counter", time: [0, 60, 120], mean: [998, 4, 10], increase: [null, 6, 6] } as unknown as BucketColumns;
  const curve = curveOf(wrapped, 130);
  assert.equal(curve.increase, 12);
  assert.deepEqual([isOutdated(curve, 189), isOutdated(curve, 190), isOutdated(undefined, 190)], [false, true, false]);
  const nothing = { ...wrapped, increase: [null, null, null] };
  const [young, gauge] = [curveOf(nothing, 130), curveOf({ ...nothing, kind: "gauge" }, 130)];
  assert.deepEqual([young.increase, isOutdated(young, 190)], [null, true]);
  assert.deepEqual([gauge.increase, isOutdated(gauge, 190)], [null, false]);
});
