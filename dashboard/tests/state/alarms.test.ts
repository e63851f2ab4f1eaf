// What of alarms is drawn over values, and what the head says of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Alarm } from "../../src/load/types";
import { ALL, choicesOf, isWaiting, limitsOf, nameOf, ofSensor, periodsOf, tally } from "../../src/state/alarms";
import { reachOf } from "../../src/state/chart/axes";
import type { Line } from "../../src/state/chart/lines";

const alarm = (more: Partial<Alarm> = {}): Alarm => ({
  alarm: "warm",
  series: "freezer.temperature",
  severity: "warning",
  state: "normal",
  since: 0,
  value: null,
  unit: "°C",
  condition: "> -15",
  limit: -15,
  clear_limit: null,
  raised: 0,
  last_raised: null,
  until: null,
  detail: "",
  note: "",
  text: "",
  ...more,
});

const line = (more: Partial<Line> = {}): Line => ({
  name: "freezer.temperature",
  unit: "°C",
  kind: "gauge",
  place: 0,
  decimals: null,
  places: null,
  step: 60,
  maxGap: 120,
  valid: null,
  time: [0, 60],
  mid: [-20, -18],
  low: [-20, -18],
  high: [-20, -18],
  suspect: [0, 0],
  wrong: [0, 0],
  before: null,
  summary: { min: null, mean: null, max: null, last: null, flagged: 0 },
  ...more,
});

test("limits of a channel and of its alarms are lines, each once", () => {
  const limits = limitsOf([line({ valid: [-40, null] })], [alarm({ clear_limit: -16 }), alarm(), alarm({ series: "a.b" })]);
  assert.deepEqual(
    limits.map((limit) => [limit.value, limit.text, limit.alarm]),
    [
      [-40, "valid from -40", false],
      [-15, "warm > -15", true],
      [-16, "warm over", true],
    ],
  );
});

test("what is not in the unit of the series is no line", () => {
  assert.deepEqual(limitsOf([line()], [alarm({ condition: "rate > 5/min", limit: null })]), []);
  assert.deepEqual(limitsOf([line({ kind: "rate", valid: [0, 9] })], [alarm()]), []);
});

test("an axis reaches to a limit that is near, and to no other", () => {
  assert.ok(reachOf([line()], [-17.5])[1] > -17.6);
  const [low, high] = reachOf([line()], [-40, -15]);
  assert.ok(low > -21 && high < -17, `${low} ${high}`);
});

test("the head counts what wants to be seen, the worst first", () => {
  assert.equal(tally([alarm(), alarm({ state: "pending" }), alarm({ state: "shelved" })]), null);
  assert.deepEqual(tally([alarm({ state: "unacknowledged" }), alarm({ state: "acknowledged" })]), {
    level: "bad",
    words: "1 alarm, 1 acknowledged",
  });
  assert.deepEqual(tally([alarm({ state: "returned unacknowledged" })]), {
    level: "warn",
    words: "alarms: 1 over, not acknowledged",
  });
});

test("shaded is what concerns the lines: their series, or the sensor's events", () => {
  const period = (series: string) => ({ alarm: "a", series, since: 0, until: null });
  const all = ["freezer.temperature", "freezer", "freezer.door", "attic", ""].map(period);
  assert.deepEqual(
    periodsOf(all, [line()], { since: 0, until: 60 }).map((one) => one.series),
    ["freezer.temperature", "freezer"],
  );
});

test("a time in alarm that a live view has left behind, or that is still to come, is not of its range", () => {
  const period = (since: number, until: number | null) => ({ alarm: "a", series: "freezer", since, until });
  const all = [period(0, 100), period(0, 101), period(150, null), period(0, null), period(200, 300)];
  assert.deepEqual(periodsOf(all, [line()], { since: 100, until: 200 }), all.slice(1, 4));
});

test("those wait to be acknowledged that nobody has said he knows of, raised or over", () => {
  const states = ["normal", "pending", "unacknowledged", "acknowledged", "returned unacknowledged", "shelved"];
  const waiting = states.filter((state) => isWaiting(alarm({ state } as Partial<Alarm>)));
  assert.deepEqual(waiting, ["unacknowledged", "returned unacknowledged"]);
  assert.equal(nameOf(alarm()), "warm/freezer.temperature");
  assert.equal(nameOf(alarm({ alarm: "disk", series: "" })), "disk/");
});

test("an alarm of a sensor's events stands on the page of that sensor alone", () => {
  const events = alarm({ alarm: "away", series: "s10" });
  const pages = ["s1", "s10", "s100", ""].filter((sensor) => ofSensor(events, sensor));
  assert.deepEqual(pages, ["s10"]);
  assert.ok(ofSensor(alarm(), "freezer"));
});

test("an alarm that was chosen and is acknowledged elsewhere stays chosen, so that all others can be chosen instead of it", () => {
  const [one, two] = [alarm({ alarm: "a", series: "" }), alarm({ alarm: "b" })];
  const values = (chosen: string, ...waiting: Alarm[]) => choicesOf(waiting, chosen).map(([value]) => value);
  assert.deepEqual(values(ALL, one, two), [ALL, "a/", "b/freezer.temperature"]);
  assert.deepEqual(values("a/", one, two), [ALL, "a/", "b/freezer.temperature"]);
  assert.deepEqual(values("a/", two), [ALL, "a/", "b/freezer.temperature"]);
  assert.deepEqual(choicesOf([two], "a/")[1], ["a/", "a/, acknowledged meanwhile"]);
  assert.deepEqual(choicesOf([one], ALL), [
    [ALL, "this alarm"],
    ["a/", "a of the daemon"],
  ]);
});
