// When steps end in a zone in which clocks are set.

import assert from "node:assert/strict";
import { test } from "node:test";
import { line } from "../../../src/state/chart/lines";
import { endOf, shifted } from "../../../src/state/chart/steps";
import { buckets } from "./made";

process.env["TZ"] = "Europe/Berlin";

const HOUR_S = 3600;

/** The seconds since 1970 of a local time in 2026; in that year clocks are set on 29 March and on 25 October. */
const local = (month: number, day: number, hour = 0): number => new Date(2026, month - 1, day, hour).getTime() / 1000;

/** The rates of a meter that counts 1 kW, in W, with a step at each of these times. */
function kilowatt(step: string, times: readonly number[], end: number, asked = 1e10): (number | null)[] {
  const increase = times.map((at, row) => (Math.min(times[row + 1] ?? end, asked) - at) / 3.6);
  const meter = buckets(
    times.map(() => 0),
    { kind: "counter", unit: "Wh", step, time: [...times], increase },
  );
  return line(meter, undefined, { totals: false, asked, place: 0 }).mid.map((value) => value && Math.round(value));
}

test("steps of the calendar end where the next one begins", () => {
  assert.equal(endOf(local(2, 1), "1mo"), local(3, 1));
  assert.equal(endOf(local(1, 1), "1y"), new Date(2027, 0, 1).getTime() / 1000);
  assert.equal(endOf(local(3, 23), "1w"), local(3, 30));
  assert.equal(endOf(local(3, 29), "1d") - local(3, 29), 23 * HOUR_S);
  assert.equal(endOf(local(10, 25), "1d") - local(10, 25), 25 * HOUR_S);
});

test("parts of a day end when the local clock shows it, other steps have one length", () => {
  assert.equal(endOf(local(3, 29), "6h") - local(3, 29), 5 * HOUR_S);
  assert.equal(endOf(local(10, 25), "6h") - local(10, 25), 7 * HOUR_S);
  assert.equal(endOf(local(3, 29, 3), "2h"), local(3, 29, 4));
  assert.equal(endOf(local(11, 27, 18), "6h"), local(11, 28));
  assert.equal(endOf(local(3, 29, 1), "1h") - local(3, 29, 1), HOUR_S);
  assert.equal(endOf(1.5, "100ms"), 1.6);
});

test("a counter that rises by 1 kW is drawn as 1 kW in months of all lengths, on days with 23 and 25 hours, and in the last step", () => {
  const months = [1, 2, 3, 4].map((month) => local(month, 1));
  assert.deepEqual(kilowatt("1mo", months, local(5, 1)), [1000, 1000, 1000, 1000]);
  assert.deepEqual(kilowatt("1mo", [local(2, 1)], local(3, 1)), [1000]);
  assert.deepEqual(kilowatt("1d", [local(3, 28), local(3, 29)], local(3, 30)), [1000, 1000]);
  assert.deepEqual(kilowatt("1d", [local(10, 25)], local(10, 26)), [1000]);
  assert.deepEqual(kilowatt("1mo", [local(2, 1)], local(3, 1), local(2, 15)), [1000]);
});

test("a step that others without readings follow ends where it does, not with the next one that has some", () => {
  const meter = buckets([0, 0], {
    kind: "counter",
    unit: "Wh",
    step: "1d",
    time: [local(6, 1), local(6, 5)],
    increase: [24_000, 24_000],
  });
  assert.deepEqual(line(meter, undefined, { totals: false, asked: 1e10, place: 0 }).mid, [1000, 1000]);
});

test("a step that is shifted begins where a step does, whatever the months between are long", () => {
  const days = (local(11, 27) - new Date(2021, 10, 27).getTime() / 1000) / 24 / HOUR_S;
  assert.equal(shifted(new Date(2021, 1, 1).getTime() / 1000, "1mo", days * 24 * HOUR_S), local(2, 1));
  assert.equal(shifted(new Date(2021, 0, 1).getTime() / 1000, "1y", days * 24 * HOUR_S), local(1, 1));
  assert.equal(shifted(local(3, 1), "1d", 30 * 24 * HOUR_S), local(3, 31));
  assert.equal(shifted(local(3, 28, 6), "6h", 24 * HOUR_S), local(3, 29, 6));
  assert.equal(shifted(60, "1min", 3617.4), 3660);
  assert.equal(shifted(0, "1d", HOUR_S), HOUR_S);
});
