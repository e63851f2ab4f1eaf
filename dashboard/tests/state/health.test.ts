// How sensors are, and the site.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Latest } from "../../src/load/types";
import { ordered, verdict } from "../../src/state/health";
import { beginning, type Sensor, type State } from "../../src/state/model";
import type { Channel } from "../../src/state/series";

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

test("a sensor that the server calls stale is well again only when a newer reading has come", () => {
  const channel = { series: "s0.t", heartbeat_s: 5 } as Channel;
  const said = (last: number | null, newest: number | null) => {
    const state = site(["stale"]);
    const sensors = [{ ...(state.sensors?.[0] as Sensor), last, channels: [channel] }];
    const reading = { time: newest, quality: "good" } as Latest;
    return ordered({ ...state, sensors, latest: new Map(newest === null ? [] : [["s0.t", reading]]) })[0];
  };
  assert.deepEqual([said(null, null)?.health, said(null, null)?.level], ["stale", "warn"]);
  assert.equal(said(null, null)?.says, "nothing has come yet");
  assert.equal(said(1000, 1000)?.health, "stale"); // the server knew of it
  assert.equal(said(900, 1000)?.health, "ok");
  assert.equal(said(null, 1000)?.health, "ok");
  assert.equal(said(900, 90_000)?.health, "stale"); // dated ahead: it does not say when it came
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
