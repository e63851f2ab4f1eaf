// Roses, and the speed that belongs to a direction.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BucketColumns } from "../../../src/state/columns";
import { rose, speedBeside } from "../../../src/state/pages/rose";
import type { Channel } from "../../../src/state/series";

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

test("a direction below 0 or above 360 degrees is the same as one within them", () => {
  const wind = rose(columns([3, 3, 3, 3]), columns([-90, 270, 630, -0.1]));
  assert.deepEqual([wind.shares[12]?.some(Boolean), wind.shares.flat().filter(Boolean)], [true, [0.25, 0.75]]);
});

test("up to a fiftieth of the fastest wind is calm", () => {
  const wind = rose(columns([10, 0.2, 0.21, 0]), columns([0, 0, 0, 0]));
  assert.deepEqual([wind.calm, wind.shares[0]?.[0]], [0.5, 0.25]);
});

test("the speed that belongs to a direction is of the same sensor: named so, or else in a unit of speed", () => {
  const channel = (series: string, unit: string, kind = "gauge") =>
    ({ series, channel: series.split(".")[1], unit, kind }) as Channel;
  const beside = (...channels: Channel[]) => speedBeside("mast.wind_direction", channels)?.series;
  const direction = channel("mast.wind_direction", "°", "angle");
  const chill = channel("mast.wind_chill", "°C");
  const roof = channel("roof.wind_speed", "m/s");
  assert.equal(beside(roof, direction, chill, channel("mast.wind_speed", "m/s")), "mast.wind_speed");
  assert.equal(beside(roof, direction, chill, channel("mast.ff", "km/h")), "mast.ff");
  assert.equal(beside(roof, direction, channel("mast.wind", "")), "mast.wind");
  assert.equal(beside(roof, direction, channel("mast.force", "kN")), undefined);
  assert.equal(beside(roof, direction, channel("mast.run", "km/h", "counter")), undefined);
});
