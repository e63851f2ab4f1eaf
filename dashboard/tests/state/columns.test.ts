// A live answer, extended by its last steps.

import assert from "node:assert/strict";
import { test } from "node:test";
import { joined } from "../../src/state/columns";
import { buckets } from "./chart/made";

test("the last steps asked again take the place of the old ones, and no column gets longer than another", () => {
  const old = buckets([1, 2, 3, 4]);
  const tail = buckets([9, 9], { time: [180, 240] });
  const whole = joined(old, tail, 60);
  assert.deepEqual(whole.time, [60, 120, 180, 240]);
  assert.deepEqual(whole.mean, [2, 3, 9, 9]);
  assert.equal(whole.count?.length, 4);
});
