// Addresses, words, patterns, health, consumption, roses, the stream's messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { curveOf, extended, isOutdated } from "../src/load/curves";
import { parse } from "../src/load/stream";
import type { Cost } from "../src/load/types";
import { barsOf, costs, period } from "../src/state/consumption";
import type { BucketColumns } from "../src/state/frame";
import { ordered, verdict } from "../src/state/health";
import { beginning, type Curve, type Sensor, type State, Store } from "../src/state/model";
import { rose } from "../src/state/rose";
import { bounds, read, START, write } from "../src/state/route";
import { nice } from "../src/state/scale";
import { type Channel, chosen, matches, rate, seconds, sensorOf } from "../src/state/series";
import { age, duration, ticks } from "../src/state/words";

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

test("ages in words", () => {
  assert.deepEqual([0.5, 90, 3600, 100000].map(age), ["now", "1 min 30 s ago", "1 h ago", "1 d 3 h ago"]);
  assert.equal(age(null), "never");
  assert.equal(duration(59.9), "59 s");
});

test("no two marks of a time axis read alike beside each other", () => {
  for (const step of [0.1, 1, 60, 3600, 43200, 86400]) {
    const marks = ticks(
      Array.from({ length: 12 }, (_, index) => 1.7e9 + index * step),
      step,
    );
    assert.ok(
      marks.every((one, index) => index === 0 || one !== marks[index - 1]),
      `${step}: ${marks}`,
    );
  }
});

function site(healths: string[]): State {
  const sensors = healths.map(
    (health, index) =>
      ({ sensor: `s${index}`, health, last: 1000, error: null, channels: [], counters: {} }) as unknown as Sensor,
  );
  return { ...beginning(), now: 1001, sensors, stream: { state: "open", heard: 1001, reason: "" } };
}

test("trouble comes first", () => {
  const names = ordered(site([...Array.from({ length: 61 }, () => "ok"), "failed", "stale"])).map((one) => one.sensor.sensor);
  assert.deepEqual(names.slice(0, 3), ["s61", "s62", "s0"]);
});

test("a sensor that falls silent is stale without anybody saying so", () => {
  const state = site(["ok"]);
  const channel = { series: "s0.t", heartbeat_s: 5 } as Channel;
  const sensors = [{ ...(state.sensors?.[0] as Sensor), channels: [channel] }];
  assert.equal(ordered({ ...state, sensors })[0]?.health, "ok");
  assert.equal(ordered({ ...state, sensors, now: 1010 })[0]?.health, "stale");
});

test("the head is green only while the log answers and logs", () => {
  const state = site(["ok"]);
  const status = {
    daemon: { state_now: "running", state: "writing", explanation: "" },
    config_errors: [],
    database: {},
    sensors: [],
    now: 0,
  } as unknown as State["status"];
  assert.equal(verdict({ ...state, status }).level, "good");
  assert.equal(verdict({ ...state, status, stream: { state: "lost", heard: 990, reason: "gone" } }).level, "bad");
  const silent = { ...status, daemon: { state_now: "running", explanation: "pid 7" } } as unknown as State["status"];
  assert.deepEqual(verdict({ ...state, status: silent }), { level: "bad", word: "starting", says: "pid 7" });
  const dead = { ...status, daemon: { state_now: "crashed", explanation: "pid 1 is gone" } } as unknown as State["status"];
  assert.deepEqual(verdict({ ...state, status: dead }), { level: "bad", word: "crashed", says: "pid 1 is gone" });
});

test("many changes are drawn once", () => {
  const waiting: (() => void)[] = [];
  const store = new Store((act) => waiting.push(act));
  let drawn = 0;
  store.listen(() => (drawn += 1));
  for (let at = 0; at < 10; at += 1) store.change(() => ({ now: at }));
  for (const act of waiting) act();
  assert.equal(drawn, 1);
  assert.equal(store.state.now, 9);
});

test("messages of a stream, in whatever pieces they come", () => {
  const whole = 'retry: 3000\n\n: \n\nid: 1-2\nevent: readings\ndata: [{"a":1}]\n\nid: 3\nevent: events\ndata: []\n\n';
  for (let cut = 0; cut <= whole.length; cut += 1) {
    const messages: string[] = [];
    const rest = parse(whole.slice(0, cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    parse(rest + whole.slice(cut), (id, kind, data) => messages.push(`${id} ${kind} ${data}`));
    assert.deepEqual(messages, ['1-2 readings [{"a":1}]', "3 events []"]);
  }
});

test("a curve goes on by the minute and forgets what is older than an hour", () => {
  const reading = (time: number, value: number) => ({ time, value, sensor: "a", channel: "b", unit: "", quality: "good" });
  const counted = { increase: null, counted: null };
  let curve: Curve = { time: [0, 60], value: [1, 2], ...counted };
  curve = extended(curve, reading(70, 3));
  assert.deepEqual(curve, { time: [0, 60], value: [1, 3], ...counted });
  curve = extended(curve, reading(125, 4));
  assert.deepEqual(curve, { time: [0, 60, 120], value: [1, 3, 4], ...counted });
  assert.deepEqual(extended(curve, reading(3700, 5)), { time: [120, 3660], value: [4, 5], ...counted });
});

test("by how much a counter rose is what the API counts, wraps and all, and it is asked for again each minute", () => {
  const wrapped = { kind: "counter", time: [0, 60, 120], mean: [998, 4, 10], increase: [null, 6, 6] } as unknown as BucketColumns;
  const curve = curveOf(wrapped, 130);
  assert.equal(curve.increase, 12);
  assert.deepEqual([isOutdated(curve, 189), isOutdated(curve, 190), isOutdated(undefined, 190)], [false, true, false]);
  const nothing = { ...wrapped, increase: [null, null, null] };
  const [young, gauge] = [curveOf(nothing, 130), curveOf({ ...nothing, kind: "gauge" }, 130)];
  assert.deepEqual([young.increase, isOutdated(young, 190)], [null, true]);
  assert.deepEqual([gauge.increase, isOutdated(gauge, 190)], [null, false]);
});

test("bars: a day has its hours, a month its days, and days without readings have no bar", () => {
  const [since, until] = period("1d", new Date(2026, 1, 14).getTime() / 1000);
  const counted = { time: [new Date(2026, 1, 3).getTime() / 1000], increase: [7] } as unknown as BucketColumns;
  const days = barsOf([counted], "1d", since, until);
  assert.equal(days.length, 28);
  assert.deepEqual([days[1]?.values, days[2]?.values, days[2]?.label], [[null], [7], "3"]);
  assert.equal(barsOf([], "1mo", ...period("1mo", since)).length, 12);
});

test("bars: the hour that comes twice in autumn is two bars, each with what it counted and cost", () => {
  const before = process.env["TZ"];
  process.env["TZ"] = "Europe/Berlin";
  try {
    const [since, until] = period("1h", Date.UTC(2026, 9, 25, 12) / 1000); // 25 hours
    const time = Array.from({ length: 25 }, (_, hour) => since + hour * 3600);
    const counted = { time, increase: time.map((_, hour) => hour + 1) } as unknown as BucketColumns;
    const bars = barsOf([counted], "1h", since, until);
    assert.deepEqual(
      bars.map((bar) => bar.values[0]),
      time.map((_, hour) => hour + 1),
    );
    assert.deepEqual([bars[2]?.label, bars[3]?.label], ["02", "02"]);
    const paid = costs({ time, cost: time.map((_, hour) => hour / 10) } as unknown as Cost, "1h");
    assert.deepEqual([paid.at(bars[2]?.at ?? 0), paid.at(bars[3]?.at ?? 0)], [0.2, 0.3]);
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
});

test("a rose adds up to one", () => {
  const time = Array.from({ length: 100 }, (_, index) => index);
  const speed = { time, mean: time.map((one) => one % 10) } as unknown as BucketColumns;
  const from = { time, mean: time.map((one) => (one * 37) % 360) } as unknown as BucketColumns;
  const wind = rose(speed, from);
  const sum = wind.shares.flat().reduce((whole, one) => whole + one, wind.calm);
  assert.ok(Math.abs(sum - 1) < 1e-9);
  assert.deepEqual(
    [1.2, 1.6, 3.6, 7, 0.021].map(nice).map((one) => Number(one.toPrecision(3))),
    [1.5, 2, 4, 10, 0.025],
  );
});
