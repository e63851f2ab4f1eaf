// Patterns, names, units and steps of series.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, chosen, matches, rate, seconds, sensorOf } from "../../src/state/series";

test("globs mean series, a bare sensor all of its channels", () => {
  assert.ok(matches("a.b", "*.*") && matches("a.b", "a") && matches("a-1.b", "a-?.b") && !matches("ab.c", "a"));
  const known = ["a.t", "a.h", "b.t"].map((series) => ({ series, retired: null }) as Channel);
  assert.equal(chosen(known, ["*.*"]).channels.length, 3);
  assert.deepEqual(chosen(known, ["a", "nobody.x"]).nothing, ["nobody.x"]);
});

test("the sensor of a series ends at the last dot; a name without a dot is a sensor already", () => {
  const sensors = ["s10.temperature", "house.attic.temperature", "s10", ""].map(sensorOf);
  assert.deepEqual(sensors, ["s10", "house.attic", "s10", ""]);
});

test("units of rates, lengths of steps", () => {
  assert.deepEqual([rate("kWh").unit, rate("l").unit, rate("").unit], ["kW", "l/h", "1/h"]);
  assert.deepEqual([seconds("15min"), seconds("1h30min"), seconds("500ms")], [900, 5400, 0.5]);
});

for (const [glob, yes, no] of [
  ["[!a].t", "b.t", "a.t"],
  ["[a-c].t", "b.t", "d.t"],
  ["[]x].t", "].t", "y.t"],
  ["[^a].t", "^.t", "b.t"],
  ["[*].t", "*.t", "a.t"],
  ["a[.t", "a[.t", "a.t"],
  ["[!].t", "[!].t", "x.t"],
  ["a+(?).t", "a+(b).t", "aa(b).t"],
] as const)
  test(`the glob ${glob} means what it means to the server`, () => {
    assert.deepEqual([matches(yes, glob), matches(no, glob)], [true, false]);
  });

test("a glob of sensors means all of their channels, as it does to the server", () => {
  const known = ["out1.t", "out12.t"].map((series) => ({ series, retired: null }) as Channel);
  assert.deepEqual(
    chosen(known, ["out?"]).channels.map((channel) => channel.series),
    ["out1.t"],
  );
});
