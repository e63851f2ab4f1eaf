// What every page needs: its questions, their errors, and what is asked for when the stream may have left something out.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Live } from "../../src/load/live";
import { type State, Store } from "../../src/state/model";
import { read } from "../../src/state/route";
import { type Browser, browser, settle } from "../pretend";

const SENSOR = { sensor: "a", state: "reading", health: "ok", channels: [{ series: "a.t", retired: null }] };
const STATUS = { now: Date.now() / 1000, sensors: [], daemon: {}, database: {} };

let page: Browser;
let store: Store;
let told: string[];

beforeEach(() => {
  page = browser();
  store = new Store((act) => act());
  told = [];
  const live = new Live(store, { news: (series) => told.push(...series), missed: () => told.push("missed") });
  live.begin();
  live.follow();
});

/** The questions of an endpoint that nobody has answered yet get this answer. */
let answered: Record<string, number> = {};
beforeEach(() => {
  answered = {};
});
async function answer(endpoint: string, body: unknown, status = 200): Promise<void> {
  const all = page.of(endpoint);
  for (const question of all.slice(answered[endpoint] ?? 0)) await question.answer(body, status);
  answered[endpoint] = all.length;
  await settle();
}

/** Opens the stream, and returns how to send a message by it. */
async function opened(): Promise<{ send(kind: string, data: unknown): Promise<void>; end(): Promise<void> }> {
  let body: ReadableStreamDefaultController<Uint8Array> | undefined;
  await page
    .of("stream")
    .at(-1)
    ?.answer(
      new ReadableStream<Uint8Array>({
        start: (begun) => {
          body = begun;
        },
      }),
    );
  const done = async () => {
    await settle();
    await settle();
  };
  return {
    send: async (kind, data) => {
      body?.enqueue(new TextEncoder().encode(`id: b-1-2\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`));
      await done();
    },
    end: async () => {
      body?.close();
      await done();
    },
  };
}

const refused = (message: string) => ({ error: { code: "x", message } });
const raised = { id: 1, time: 5, kind: "alarm_raised", sensor: "a", detail: "" };

test("an error is over with the next answer to the same question", async () => {
  await answer("status", refused("the database is busy"), 503);
  assert.equal(store.state.error, "the database is busy");
  const stream = await opened();
  await stream.send("events", [raised]);
  await page.timers.pass(300);
  await answer("status", STATUS);
  assert.equal(store.state.error, "");
});

test("an error of one question outlives the answers to others, also that nobody answers", async () => {
  await answer("sensors", refused("no database"), 503);
  await answer("status", STATUS);
  assert.equal(store.state.error, "no database");
  await page.of("alarms")[0]?.fail();
  assert.equal(store.state.error, "no database");
  await page.timers.pass(2000);
  await answer("sensors", { sensors: [] });
  assert.equal(store.state.error, "");
});

test("an alarm that is raised while the state is asked for is shown at once", async () => {
  const stream = await opened();
  await stream.send("events", [raised]);
  await page.timers.pass(300); // the first question for the state is still on its way
  await answer("status", STATUS);
  await answer("alarms", { alarms: [] });
  await answer("status", STATUS);
  await answer("alarms", { alarms: [{ alarm: "hot" }] });
  assert.equal(page.of("status").length, 2);
  assert.equal(store.state.alarms[0]?.alarm, "hot");
});

test("sensors are asked for one question at a time, and once more for what happened meanwhile", async () => {
  const stream = await opened();
  for (const id of [1, 2, 3]) await stream.send("events", [{ ...raised, id, kind: "imported" }]);
  assert.equal(page.of("sensors").length, 1);
  await answer("sensors", refused("no database"), 503);
  await page.timers.pass(2000);
  assert.equal(page.of("sensors").length, 2);
  await answer("sensors", { sensors: [] });
  assert.equal(page.of("sensors").length, 3);
  await answer("sensors", { sensors: [SENSOR] });
  assert.equal(store.state.sensors?.length, 1);
  await page.timers.pass(10_000);
  assert.equal(page.of("sensors").length, 3);
});

test("after a break everything that the stream may have left out is asked for", async () => {
  store.change(({ events, chartEvents }) => ({ events: { ...events, key: "e" }, chartEvents: { ...chartEvents, key: "c" } }));
  let stream = await opened();
  await stream.send("latest", [{ sensor: "a", channel: "t", time: 100, value: 1 }]);
  await stream.send("events", [raised]);
  await answer("sensors", { sensors: [SENSOR] });
  await stream.end();
  await page.timers.pass(2000);
  for (const _ of [1, 2]) {
    await answer("status", STATUS);
    await answer("alarms", { alarms: [] });
  }
  const before = { sensors: page.of("sensors").length, status: page.of("status").length };
  stream = await opened();
  await stream.send("gap", {});
  await answer("events", { events: [raised, { ...raised, id: 2 }], earlier: null });
  await stream.send("events", [
    { ...raised, id: 2 },
    { ...raised, id: 3 },
  ]);
  const recent = store.state.recent.map((event) => event.id);
  assert.deepEqual(recent, [1, 2, 3]); // no hole, and none twice
  assert.deepEqual([page.of("sensors").length, page.of("status").length], [before.sensors + 1, before.status + 1]);
  await page.timers.pass(0);
  assert.deepEqual([store.state.events.outdated, store.state.chartEvents.outdated], [true, true]);
  assert.deepEqual(told, ["missed", "a.t"]);
  await answer("latest", { latest: [{ sensor: "a", channel: "t", time: 900, value: 9 }] });
  assert.equal(store.state.latest.get("a.t")?.value, 9);
});

test("after another database took the place of the former, its events are shown, and all answers are asked for again", async () => {
  const kinds = ["chart", "chartEvents", "events", "buckets", "costs", "database"] as const;
  const stream = await opened();
  await stream.send("latest", [{ sensor: "a", channel: "t", time: 100, value: 1 }]);
  await stream.send("events", [{ ...raised, id: 900 }]);
  await stream.send("another_file", {});
  await page.timers.pass(0);
  assert.deepEqual([store.state.recent, store.state.latest.size], [[], 0]);
  for (const kind of kinds) assert.equal(store.state[kind].outdated, true, kind);
  await stream.send("events", [{ ...raised, id: 2 }]);
  await answer("events", { events: [raised], earlier: null });
  assert.deepEqual(
    store.state.recent.map((event) => event.id),
    [1, 2],
  );
});

test("after a break in which another database took the place of the former, events of the former are gone", async () => {
  let stream = await opened();
  await stream.send("events", [{ ...raised, id: 900 }]);
  await stream.end();
  await page.timers.pass(2000);
  stream = await opened();
  await stream.send("gap", {});
  await answer("events", { events: [raised], earlier: null });
  await stream.send("events", [{ ...raised, id: 2 }]);
  assert.deepEqual(
    store.state.recent.map((event) => event.id),
    [1, 2],
  );
});

test("a value that the stream brings while the newest ones are asked for stays", async () => {
  const stream = await opened();
  await stream.send("latest", []);
  await stream.send("skipped", { readings: 9 });
  await page.timers.pass(0);
  await stream.send("readings", [{ sensor: "a", channel: "t", time: 901, value: 10, quality: "good", unit: "" }]);
  await answer("latest", { latest: ["t", "h"].map((channel) => ({ sensor: "a", channel, time: 900, value: 9 })) });
  assert.deepEqual(
    ["a.t", "a.h"].map((name) => store.state.latest.get(name)?.value),
    [10, 9],
  );
});

test("a series that the stream brings while the newest ones are asked for stays; one that the answer no longer has is gone", async () => {
  const stream = await opened();
  await stream.send(
    "latest",
    ["t", "gone"].map((channel) => ({ sensor: "a", channel, time: 900, value: 9 })),
  );
  await stream.send("skipped", { readings: 9 });
  await page.timers.pass(0);
  await stream.send("readings", [{ sensor: "b", channel: "t", time: 901, value: 10, quality: "good", unit: "" }]);
  await answer("latest", { latest: [{ sensor: "a", channel: "t", time: 900, value: 9 }] });
  assert.deepEqual([...store.state.latest.keys()].sort(), ["a.t", "b.t"]);
});

for (const kind of ["mended", "mend_undone", "unit_changed", "recomputed", "salvaged"])
  test(`after ${kind} the newest values and the curves are asked for: the stream does not send such readings`, async () => {
    await answer("sensors", { sensors: [SENSOR] });
    const stream = await opened();
    await stream.send("latest", [{ sensor: "a", channel: "t", time: 100, value: 1, quality: "good" }]);
    await stream.send("events", [{ ...raised, kind }]);
    await page.timers.pass(0);
    assert.deepEqual(told, ["missed", "a.t"]);
    await answer("latest", { latest: [{ sensor: "a", channel: "t", time: 100, value: 1, quality: "fail" }] });
    assert.equal(store.state.latest.get("a.t")?.quality, "fail");
    assert.equal(page.of("sensors").length, kind === "unit_changed" ? 2 : 1);
  });

test("a late reading does not hide a newer one, also while the page is hidden and its time stands still", async () => {
  const stream = await opened();
  const now = Date.now() / 1000;
  const reading = (time: number, value: number) => ({ sensor: "a", channel: "t", time, value, quality: "good", unit: "" });
  await stream.send("latest", [reading(now, 10)]);
  store.change(() => ({ now: now - 60 }));
  await stream.send("readings", [reading(now - 3600, 7)]);
  assert.equal(store.state.latest.get("a.t")?.value, 10);
  await stream.send("skipped", { readings: 9 });
  await page.timers.pass(0);
  store.change(() => ({ now: now - 60 }));
  await answer("latest", { latest: [reading(now + 0.5, 11)] });
  assert.equal(store.state.latest.get("a.t")?.value, 11);
});

test("an import, which leaves out readings all the time, does not ask all the time", async () => {
  const stream = await opened();
  for (const _ of Array(8)) {
    await stream.send("skipped", { readings: 9 });
    await page.timers.pass(100);
  }
  assert.equal(page.of("latest").length, 1);
});

test("the states of sensors come by the stream; one that is not known is asked for", async () => {
  await answer("sensors", { sensors: [SENSOR] });
  const stream = await opened();
  await stream.send("sensors", [{ sensor: "a", state: "reading", health: "stale", error: "no answer" }]);
  assert.deepEqual([store.state.sensors?.[0]?.health, store.state.sensors?.[0]?.error], ["stale", "no answer"]);
  assert.equal(page.of("sensors").length, 1);
  await stream.send("sensors", [{ sensor: "b", state: "reading", health: "ok", error: null }]);
  assert.equal(page.of("sensors").length, 2);
});

test("a sensor that changes its state is asked for: since when, and what was counted, no report says", async () => {
  await answer("sensors", { sensors: [SENSOR] });
  const stream = await opened();
  await stream.send("sensors", [{ sensor: "a", state: "backing_off", health: "reconnecting", error: "no answer" }]);
  assert.equal(page.of("sensors").length, 2);
  await answer("sensors", { sensors: [{ ...SENSOR, state: "backing_off", since: 7 }] });
  assert.equal(store.state.sensors?.[0]?.since, 7);
});

const chartAnswered = () => store.change(({ chart }) => ({ chart: { ...chart, key: "c", busy: false, outdated: false } }));

for (const [what, kind, data] of [
  ["a gap", "gap", {}],
  ["left out readings", "skipped", { readings: 9 }],
  ["an import", "events", [{ ...raised, kind: "imported" }]],
  ["a mend", "events", [{ ...raised, kind: "mended" }]],
] as const)
  test(`a chart is asked for whole after ${what}`, async () => {
    chartAnswered();
    const stream = await opened();
    await stream.send(kind, data);
    await page.timers.pass(0);
    assert.equal(store.state.chart.outdated, true);
    chartAnswered();
    await stream.send(kind, data);
    await page.timers.pass(1000);
    assert.equal(store.state.chart.outdated, false); // not all the time
    await page.timers.pass(10_000);
    assert.equal(store.state.chart.outdated, true);
  });

test("a chart that is being asked for is not dropped, but asked for again after its answer", async () => {
  store.change(({ chart }) => ({ chart: { ...chart, key: "c", busy: true } }));
  const stream = await opened();
  await stream.send("gap", {});
  await page.timers.pass(5000);
  assert.equal(store.state.chart.outdated, false);
  chartAnswered();
  await page.timers.pass(1000);
  assert.equal(store.state.chart.outdated, true);
});

for (const [kind, event] of [
  ["chartEvents", "alarm_raised"],
  ["database", "backup_made"],
] as const)
  test(`a storm of events such as ${event} does not drop the question that is under way: ${kind}`, async () => {
    const stream = await opened();
    const lies = (busy: boolean) =>
      store.change((state) => ({ [kind]: { ...state[kind], key: "k", busy, outdated: false } }) as Partial<State>);
    lies(true);
    for (let id = 1; id < 10; id += 1) {
      await stream.send("events", [{ ...raised, id, kind: event }]);
      await page.timers.pass(250);
      assert.equal(store.state[kind].outdated, false);
    }
    lies(false);
    await page.timers.pass(1000);
    assert.equal(store.state[kind].outdated, true);
    lies(false);
    await stream.send("events", [{ ...raised, id: 99, kind: event }]);
    await page.timers.pass(1000);
    assert.equal(store.state[kind].outdated, false); // not all the time
    await page.timers.pass(1000);
    assert.equal(store.state[kind].outdated, true);
  });

test("a chart of a pattern gains the series that a reload adds", async () => {
  await answer("sensors", { sensors: [SENSOR] });
  chartAnswered();
  const stream = await opened();
  const reloaded = [{ ...raised, kind: "config_reloaded" }];
  await stream.send("events", reloaded);
  await answer("sensors", { sensors: [SENSOR] });
  await page.timers.pass(0);
  assert.equal(store.state.chart.outdated, false);
  await stream.send("events", [{ ...raised, id: 2, kind: "config_reloaded" }]);
  await answer("sensors", { sensors: [SENSOR, { ...SENSOR, sensor: "b", channels: [{ series: "b.t", retired: null }] }] });
  await page.timers.pass(0);
  assert.equal(store.state.chart.outdated, true);
});

test("the page of the database is asked for again each minute, and after events of the database", async () => {
  const stream = await opened();
  const lies = (hash: string) =>
    store.change(({ database }) => ({ route: read(hash), database: { ...database, outdated: false } }));
  lies("#/database?parts=1");
  await page.timers.pass(60_000);
  assert.equal(store.state.database.outdated, false); // measuring takes long
  lies("#/database");
  await page.timers.pass(60_000);
  assert.equal(store.state.database.outdated, true);
  lies("#/database");
  await stream.send("events", [{ ...raised, kind: "backup_made" }]);
  await page.timers.pass(2000);
  assert.equal(store.state.database.outdated, true);
});

test("what is shown up to now goes on each minute, also where no readings come; a question under way is left alone", async () => {
  await answer("sensors", { sensors: [SENSOR] });
  const lies = (busy: boolean, error: string) =>
    store.change(({ buckets, costs }) => ({
      route: read("#/use?s=a.t"),
      buckets: { ...buckets, outdated: false, busy },
      costs: { ...costs, outdated: false, error },
    }));
  lies(true, "this takes too long"); // which would be said anew each minute
  await page.timers.pass(60_000);
  assert.deepEqual([store.state.buckets.outdated, store.state.costs.outdated], [false, false]);
  lies(false, "");
  told = [];
  await page.timers.pass(60_000);
  assert.deepEqual([store.state.buckets.outdated, store.state.costs.outdated], [true, true]);
  assert.deepEqual(told, ["a.t"]);
});

test("the server's clock counts, unless it differs by less than two seconds", async () => {
  await answer("status", { ...STATUS, now: Date.now() / 1000 + 60 });
  assert.ok(Math.abs(store.state.ahead - 60) < 1);
  await page.timers.pass(1000);
  assert.ok(store.state.now > Date.now() / 1000 + 58);
});
