// Round steps, and places on a scale.

import assert from "node:assert/strict";
import { test } from "node:test";
import { nice, share } from "../../../src/state/chart/scale";

test("a round step is the next one, of any power of ten", () => {
  assert.deepEqual(
    [1.2, 1.6, 3.6, 7, 0.021, 10, 2.5].map(nice).map((one) => Number(one.toPrecision(3))),
    [1.5, 2, 4, 10, 0.025, 10, 2.5],
  );
});

test("a value has its place between the lowest and the highest; where these are one it is the middle", () => {
  assert.deepEqual([share(20, 20, 30), share(25, 20, 30), share(30, 20, 30), share(7, 7, 7)], [0, 0.5, 1, 0.5]);
});
