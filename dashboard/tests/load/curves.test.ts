// Small curves: asked for together, extended by the stream, asked for again when readings may be missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Curves, curveOf, extended, isOutdated } from "../../src/load/curves";
import type { Latest } from "../../src/load/types";
import type { BucketColumns } from "../../src/state/columns";
import { type Curve, type Sensor, Store } from "../../src/state/model";
import { read } from "../../src/state/route";
import { browser, settle } from "../pretend";

test("a curve goes on by the minute and forgets what is older than an hour", () => {
  const reading = (time: number, value: number) => ({ time, value, sensor: "a", channel: "b", unit: "", quality: "good" });
  const counted = { increase: null, counted: null };
  let curve: Curve = { time: [0, 60], value: [1, 2], ...counted };
  curve = extended(curve, reading(70, 3), 70);
  assert.deepEqual(curve, { time: [0, 60], value: [1, 3], ...counted });
  curve = extended(curve, reading(125, 4), 125);
  assert.deepEqual(curve, { time: [0, 60, 120], value: [1, 3, 4], ...counted });
  assert.deepEqual(extended(curve, reading(3700, 5), 3700), { time: [120, 3660], value: [4, 5], ...counted });
});

test("a late reading gets its place in the curve; one dated ahead, or from before the hour, leaves it as it is", () => {
  const reading = (time: number) => ({ time, value: 9, sensor: "a", channel: "b", unit: "", quality: "good" });
  const curve: Curve = { time: [3600, 3720, 3780], value: [1, 2, 3], increase: null, counted: null };
  assert.deepEqual(extended(curve, reading(3670), 3790).time, [3600, 3660, 3720, 3780]);
  assert.deepEqual(extended(curve, reading(3670), 3790).value, [1, 9, 2, 3]);
  assert.deepEqual(extended(curve, reading(3730), 3790).value, [1, 9, 3]);
  for (const time of [90_000, 0]) assert.deepEqual(extended(curve, reading(time), 3790), curve);
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

test("readings that failed a test are not drawn, as the API's mean leaves them out; nor are those without a value", () => {
  const reading = (time: number, value: number | null, quality: string) => ({
    time,
    value,
    quality,
    sensor: "a",
    channel: "b",
    unit: "",
  });
  const curve: Curve = { time: [0, 60], value: [1, 2], increase: null, counted: null };
  assert.deepEqual(extended(curve, reading(70, 999, "fail:gross_range"), 125).value, [1, 2]);
  assert.deepEqual(extended(curve, reading(125, 999, "fail:gross_range"), 125).value, [1, 2, null]);
  assert.deepEqual(extended(curve, reading(70, null, "missing"), 125).value, [1, 2]);
  assert.deepEqual(extended(curve, reading(125, 3, "suspect:spike"), 125).value, [1, 2, 3]);
});

test("curves that come into sight together are one question; those that may miss readings are asked for again", async () => {
  const { of, timers } = browser();
  const store = new Store((act) => act());
  const curves = new Curves(store);
  const sensors = [{ channels: [{ series: "a.t" }, { series: "a.h" }] }] as unknown as Sensor[];
  store.change(() => ({ route: read("#/"), sensors }));
  curves.cameIntoSight("a.t");
  curves.cameIntoSight("a.h");
  await timers.pass(30);
  const answer = (channel: string) => ({ sensor: "a", channel, kind: "gauge", time: [0], mean: [1] });
  assert.deepEqual(of("buckets")[0]?.query.getAll("series"), ["a.t", "a.h"]);
  await of("buckets")[0]?.answer({ series: [answer("t"), answer("h"), answer("retired")] });
  curves.cameIntoSight("a.t"); // it is known
  await timers.pass(30);
  assert.equal(of("buckets").length, 1);
  curves.missed();
  await timers.pass(30);
  assert.deepEqual(of("buckets")[1]?.query.getAll("series"), ["a.t", "a.h"]);
  store.change(() => ({ route: read("#/events") }));
  curves.missed();
  assert.equal(store.state.curves.size, 0); // each is asked for when it comes into sight
});

for (const [status, code, again] of [
  [404, "unknown_series", ["a.t"]],
  [500, "internal", ["a.t", "gone.t"]],
  [503, "busy", ["a.t", "gone.t"]],
] as const)
  test(`curves that are refused with ${status} are asked for again: ${again.join(", ")}`, async () => {
    const { of, timers } = browser();
    const store = new Store((act) => act());
    const curves = new Curves(store);
    const sensors = [{ channels: [{ series: "a.t" }] }] as unknown as Sensor[];
    store.change(() => ({ route: read("#/"), sensors }));
    curves.cameIntoSight("a.t");
    curves.cameIntoSight("gone.t");
    await timers.pass(30);
    const refuse = async (at: number) => {
      await of("buckets")[at]?.answer({ error: { code, message: "refused" } }, status);
      for (const _ of [1, 2, 3]) await settle();
      await timers.pass(5000);
    };
    await refuse(0);
    assert.deepEqual(of("buckets")[1]?.query.getAll("series"), again);
    await refuse(1);
    assert.equal(of("buckets").length, status === 404 ? 2 : 3); // what is refused for good is not asked for ever
  });

/** Curves of "a.t" on the overview. */
function ofOne() {
  const { of, timers } = browser();
  const store = new Store((act) => act());
  const curves = new Curves(store);
  const sensors = [{ channels: [{ series: "a.t" }] }] as unknown as Sensor[];
  store.change(() => ({ route: read("#/"), sensors }));
  const values = () => store.state.curves.get("a.t")?.value;
  return { of, timers, store, curves, values };
}
const answerOf = (time: number[], mean: number[]) => ({
  series: [{ sensor: "a", channel: "t", kind: "gauge", time, mean }],
});

test("an answer that comes after that to a later question is dropped", async () => {
  const { of, timers, curves, values } = ofOne();
  for (const _ of [1, 2]) {
    curves.cameIntoSight("a.t");
    await timers.pass(30);
  }
  await of("buckets")[1]?.answer(answerOf([0], [2]));
  await settle();
  await of("buckets")[0]?.answer(answerOf([0], [1]));
  await settle();
  assert.deepEqual(values(), [2]);
});

test("an older question that fails late does not ask again for what a later one was answered", async () => {
  const { of, timers, curves, values } = ofOne();
  for (const _ of [1, 2]) {
    curves.cameIntoSight("a.t");
    await timers.pass(30);
  }
  await of("buckets")[1]?.answer(answerOf([0], [2]));
  await settle();
  await of("buckets")[0]?.fail();
  await timers.pass(10_000);
  assert.deepEqual([of("buckets").length, values()], [2, [2]]);
});

test("a reading that the stream brought while the curve was asked for is drawn", async () => {
  const { of, timers, store, curves, values } = ofOne();
  const minute = Math.floor(Date.now() / 60_000) * 60;
  curves.cameIntoSight("a.t");
  await timers.pass(30);
  const newest = { sensor: "a", channel: "t", time: minute, value: 9, quality: "good" } as Latest;
  store.change(() => ({ latest: new Map([["a.t", newest]]) }));
  await of("buckets")[0]?.answer(answerOf([minute - 600], [1]));
  await settle();
  assert.deepEqual(values(), [1, 9]);
  curves.missed();
  await timers.pass(30);
  await of("buckets")[1]?.answer(answerOf([minute - 600, minute], [1, 8])); // the mean of a minute of which the API knows
  await settle();
  assert.deepEqual(values(), [1, 8]);
});
