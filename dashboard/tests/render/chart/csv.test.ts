// What the file of a chart is asked for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { csv } from "../../../src/render/chart/csv";
import type { ChartData } from "../../../src/state/model";
import { START } from "../../../src/state/route";
import { ZONE } from "../../../src/state/words";
import { buckets } from "../../state/chart/made";

Object.assign(globalThis, { document: { baseURI: "http://127.0.0.1/" } });

test("the file has the steps and the times of the zone in which the chart is drawn", () => {
  const data: ChartData = { series: [buckets([1])], before: [], unknown: [], notes: [], since: 0, until: 60, asked: 60 };
  const query = new URL(csv(START, data) ?? "").searchParams;
  assert.deepEqual([query.get("series"), query.get("tz"), query.get("agg")], ["a.t", ZONE, null]);
  assert.equal(new URL(csv({ ...START, totals: true }, data) ?? "").searchParams.get("agg"), "last");
  assert.equal(csv(START, { ...data, series: [] }), undefined);
});
