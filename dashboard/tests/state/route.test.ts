// Addresses: what is shown, and back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chartKey } from "../../src/load/charted";
import { bounds, picked, read, START, toggled, write } from "../../src/state/route";

test("an address restores what was shown", () => {
  const route = {
    ...START,
    page: "chart" as const,
    series: ["a.b", "*.t", "sp ace.ü&"],
    hidden: ["a.b", "x.t"],
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

test("what is hidden is in the address, is not asked for anew, and does not come along to other series", () => {
  const chart = { ...START, page: "chart" as const, series: ["a.b", "c.d"] };
  const hiding = toggled(chart, "c.d");
  assert.deepEqual([hiding.hidden, toggled(hiding, "c.d").hidden], [["c.d"], []]);
  assert.equal(write(hiding), "#/chart?s=a.b&s=c.d&hide=c.d&range=21600");
  assert.equal(chartKey(hiding), chartKey(chart));
  assert.deepEqual(picked(hiding, ["c.d", "e.f"]).hidden, ["c.d"]);
  assert.deepEqual(picked(hiding, ["e.f"]).hidden, []);
});
