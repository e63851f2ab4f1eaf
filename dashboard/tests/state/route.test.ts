// Addresses: what is shown, and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bounds, read, START, write } from "../../src/state/route";

test("an address restores what was shown", () => {
  const route = {
    ...START,
    page: "chart" as const,
    series: ["a.b", "*.t", "sp ace.ü&"],
    range: 3600,
    until: 1700000000,
    compare: true,
    totals: true,
    kiosk: true,
    more: { find: "x y" },
  };
  assert.deepEqual(read(write(route)), route);
  assert.deepEqual(read(write({ ...START, page: "sensor", sensor: "a/b c" })).sensor, "a/b c");
  assert.equal(read("#/chart?since=5&until=2").range, START.range); // nonsense is the usual
  assert.equal(read("#/nowhere").page, "overview");
});

test("an address with an end and no beginning is as long as its range says, and never begins in 1970", () => {
  const shown = (hash: string) => bounds(read(hash), 1.8e9);
  assert.deepEqual(shown("#/chart?until=1700000000"), [1700000000 - START.range, 1700000000]);
  assert.deepEqual(shown("#/chart?since=&until=1700000000"), [1700000000 - START.range, 1700000000]);
  assert.deepEqual(shown("#/chart?range=3600&until=1700000000"), [1700000000 - 3600, 1700000000]);
  assert.deepEqual(shown("#/chart?since=1699990000&range=60&until=1700000000"), [1699990000, 1700000000]);
  for (const none of ["until=", "until=x", "since=x&until=", "since=&until=&range="])
    assert.deepEqual(shown(`#/chart?${none}`), [1.8e9 - START.range, 1.8e9], none);
  assert.equal(read("#/chart?since=0&until=3600").range, 3600); // 1970 for those who ask for it
});
