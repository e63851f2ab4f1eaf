// What the file of a chart is asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csv } from "../../../src/render/chart/csv";
import type { ChartData } from "../../../src/state/model";
import { ZONE } from "../../../src/state/words";
import { buckets } from "../../state/chart/made";

Object.assign(globalThis, { document: { baseURI: "http://127.0.0.1/" } });

test("the file has the numbers of the chart, with its steps and the times of the zone in which it is drawn", () => {
  const data: ChartData = { series: [buckets([1])], before: [], unknown: [], notes: [], since: 0, until: 60, asked: 60 };
  const query = new URL(csv(data) ?? "").searchParams;
  assert.deepEqual([query.get("series"), query.get("tz"), query.get("agg")], ["a.t", ZONE, "mean,min,max,last,increase"]);
  assert.equal(csv({ ...data, series: [] }), undefined);
});
