// Roses, and the speed that belongs to a direction.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BucketColumns } from "../../../src/state/columns";
import { rose } from "../../../src/state/pages/rose";

test("a rose adds up to one", () => {
  const time = Array.from({ length: 100 }, (_, index) => index);
  const speed = { time, mean: time.map((one) => one % 10) } as unknown as BucketColumns;
  const from = { time, mean: time.map((one) => (one * 37) % 360) } as unknown as BucketColumns;
  const wind = rose(speed, from);
  const sum = wind.shares.flat().reduce((whole, one) => whole + one, wind.calm);
  assert.ok(Math.abs(sum - 1) < 1e-9);
});

const columns = (mean: number[]) => ({ time: mean.map((_, row) => row), mean }) as unknown as BucketColumns;

test("where the wind never blew, all of it is calm", () => {
  const wind = rose(columns([0, 0, 0, 0]), columns([0, 90, 180, 270]));
  assert.deepEqual([wind.calm, wind.steps, wind.shares.flat().some(Boolean)], [1, 4, false]);
});

test("up to a fiftieth of the fastest wind is calm", () => {
  const wind = rose(columns([10, 0.2, 0.21, 0]), columns([0, 0, 0, 0]));
  assert.deepEqual([wind.calm, wind.shares[0]?.[0]], [0.5, 0.25]);
});
