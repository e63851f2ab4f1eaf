// The title of the tab says what it shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { read } from "../../src/state/route";
import { titleOf } from "../../src/state/title";

test("a title names the sensor or the series, and the kind of the page", () => {
  const titles = [
    "#/",
    "#/events",
    "#/sensor/house.boiler",
    "#/chart",
    "#/chart?s=a.t",
    "#/chart?s=a.t&s=b.*&s=c.t",
    "#/year?s=a.t",
  ];
  assert.deepEqual(titles.map(read).map(titleOf), [
    "sensorlogd",
    "Events · sensorlogd",
    "house.boiler · sensorlogd",
    "Chart · sensorlogd",
    "a.t · Chart · sensorlogd",
    "a.t +2 · Chart · sensorlogd",
    "a.t · Year · sensorlogd",
  ]);
});
