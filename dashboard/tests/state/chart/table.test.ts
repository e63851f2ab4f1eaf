// Which values of a chart stand in one row of text, and when that row is said to begin.

import assert from "node:assert/strict";
import { test } from "node:test";
import { cellsOf, tableOf } from "../../../src/state/chart/table";
import { time } from "../../../src/state/words";
import { buckets, lineOf } from "./made";

process.env["TZ"] = "Europe/Berlin";

/** The seconds since 1970 of a local time in 2026. */
const local = (month: number, day: number, hour = 0): number => new Date(2026, month - 1, day, hour).getTime() / 1000;

const table = (...lines: ReturnType<typeof lineOf>[]) =>
  tableOf(lines).rows.map((row) => [time(row.at, 0).slice(0, 16), ...cellsOf(lines, row)]);

test("steps of the local day are said to begin when they do, and none is empty", () => {
  const six = lineOf(buckets([1, 2, 3], { step: "6h", time: [local(11, 26, 18), local(11, 27), local(11, 27, 6)] }));
  assert.deepEqual(table(six), [
    ["2026-11-27 06:00", "3"],
    ["2026-11-27 00:00", "2"],
    ["2026-11-26 18:00", "1"],
  ]);
});

test("months have a row each, whatever their length", () => {
  const months = lineOf(buckets([1, 2, 3, 4], { step: "1mo", time: [1, 2, 3, 4].map((month) => local(month, 1)) }));
  assert.deepEqual(
    table(months).map(([at, value]) => [at?.slice(0, 10), value]),
    [
      ["2026-04-01", "4"],
      ["2026-03-01", "3"],
      ["2026-02-01", "2"],
      ["2026-01-01", "1"],
    ],
  );
});

test("of shorter steps the last value in a row counts; what is outside all long steps has a row of its own", () => {
  const days = lineOf(buckets([10, null], { step: "1d", time: [local(11, 25), local(11, 26)] }));
  const times = [local(11, 24, 12), local(11, 25), local(11, 25, 18), local(11, 26, 6), local(11, 28, 3)];
  const hours = lineOf(buckets([1, 2, 3, 4, 5], { step: "1h", time: times }));
  assert.deepEqual(table(days, hours), [
    ["2026-11-28 03:00", "–", "5"],
    ["2026-11-26 00:00", "–", "4"],
    ["2026-11-25 00:00", "10", "3"],
    ["2026-11-24 12:00", "–", "1"],
  ]);
});
