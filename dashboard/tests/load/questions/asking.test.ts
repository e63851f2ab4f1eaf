// Questions of a page: one of each kind, each with its own answer and its own error.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ApiError } from "../../../src/load/api";
import { Asking } from "../../../src/load/questions/asking";
import { errorsOf, outdated, type State, Store } from "../../../src/state/model";
import { read } from "../../../src/state/route";
import { type Browser, browser, settle } from "../../pretend";

let page: Browser;
let store: Store;
let asking: Asking;

beforeEach(() => {
  page = browser();
  store = new Store((act) => act());
  asking = new Asking(store);
});

const chart = { series: [], before: [], unknown: [], notes: [], since: 0, until: 1 };
const beside = { events: [], periods: [] };
const refused = () => Promise.reject(new ApiError("this takes too long", "takes_too_long", 422));
const lies = (hash: string): State => {
  store.change(() => ({ route: read(hash) }));
  return store.state;
};

test("an error stays with its question, whatever another one is answered", async () => {
  asking.begin("chart", "k", refused);
  await settle();
  asking.begin("chartEvents", "k", async () => beside);
  await settle();
  assert.deepEqual(store.state.chart, { key: "k", data: null, busy: false, error: "this takes too long", outdated: false });
  assert.equal(store.state.chartEvents.error, "");
  assert.deepEqual(errorsOf(lies("#/chart?s=a.b")), ["this takes too long"]);
});

test("a page shows the errors of its own questions, each sentence once", async () => {
  asking.begin("buckets", "k", refused);
  asking.begin("costs", "k", refused);
  await settle();
  assert.deepEqual(errorsOf(lies("#/use?s=a.b")), ["this takes too long"]);
  assert.deepEqual(errorsOf(lies("#/events")), []);
  assert.deepEqual(errorsOf(lies("#/use")), []); // nothing is asked there
});

test("the next question begins without the error of the last one, and a chart keeps what it shows", async () => {
  asking.begin("chart", "k", async () => chart);
  await settle();
  asking.begin("chart", "l", refused);
  await settle();
  assert.deepEqual([store.state.chart.data, store.state.chart.error], [chart, "this takes too long"]);
  asking.begin("chart", "m", async () => chart);
  assert.deepEqual([store.state.chart.busy, store.state.chart.error], [true, ""]);
});

test("what is answered is not asked again, unless it is outdated; then it is shown meanwhile", async () => {
  let count = 0;
  const question = async () => ({ events: [], earlier: ++count });
  for (const _ of [1, 2]) {
    asking.begin("events", "k", question);
    await settle();
  }
  assert.equal(count, 1);
  store.change(({ events }) => ({ events: outdated(events) }));
  asking.begin("events", "k", question);
  assert.equal(store.state.events.data?.earlier, 1);
  await settle();
  assert.equal(store.state.events.data?.earlier, 2);
  asking.begin("events", "other", question);
  assert.equal(store.state.events.data, null); // of another sensor nothing is known yet
});

test("what becomes outdated while it is asked for is asked again", async () => {
  asking.begin("chart", "k", async () => chart);
  store.change((state) => ({ chart: outdated(state.chart) }));
  await settle();
  assert.deepEqual([store.state.chart.busy, store.state.chart.outdated], [false, true]);
});

test("an answer to a question that was dropped is not shown", async () => {
  let late: (value: typeof chart) => void = () => undefined;
  asking.begin("chart", "k", (signal) => {
    assert.equal(signal.aborted, false);
    return new Promise((give) => {
      late = give;
    });
  });
  asking.begin("chart", "l", async () => ({ ...chart, until: 2 }));
  late(chart);
  await settle();
  assert.deepEqual([store.state.chart.key, store.state.chart.data?.until], ["l", 2]);
});

for (const error of [new ApiError("sensorlogd does not answer", "away"), new ApiError("busy", "busy", 503)])
  test(`a server that is away or busy (${error.status}) is asked anew, without a word`, async () => {
    asking.begin("events", "k", () => Promise.reject(error));
    await settle();
    assert.deepEqual([store.state.events.error, store.state.events.outdated, store.state.events.busy], ["", false, false]);
    await page.timers.pass(2000);
    assert.equal(store.state.events.outdated, true);
  });

test("after a mistake of the page itself the page says that something went wrong", async (context) => {
  context.mock.method(console, "error", () => undefined);
  asking.begin("events", "k", () => Promise.reject(new TypeError("x is undefined")));
  await settle();
  assert.equal(store.state.events.error, "Something went wrong on this page.");
});
