// The questions of a chart: its lines, what happened beside them, and its last steps while it is live.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { chartKey } from "../../../src/load/charted";
import { Asking } from "../../../src/load/questions/asking";
import { ChartQuestions } from "../../../src/load/questions/chart";
import { outdated, type Sensor, Store } from "../../../src/state/model";
import { read } from "../../../src/state/route";
import { type Asked, type Browser, browser, settle } from "../../pretend";

const NAMES = ["a.t", "a.h"];
const SENSORS = [{ sensor: "a", channels: NAMES.map((series) => ({ series, retired: null })) }] as unknown as Sensor[];

let page: Browser;
let store: Store;
let questions: ChartQuestions;

beforeEach(() => {
  page = browser();
  store = new Store((act) => act());
  questions = new ChartQuestions(store, new Asking(store));
  store.listen((state) => questions.begin(state));
});

const go = async (hash: string, sensors: Sensor[] | null = SENSORS): Promise<void> => {
  store.change(() => ({ route: read(hash), sensors }));
  await settle();
};

/** Columns of one series, with a point at each of these times. */
const columns = (time: number[], step = "1min") => ({
  sensor: "a",
  channel: "t",
  unit: "",
  kind: "gauge",
  step,
  since: time[0],
  until: time.at(-1),
  resolution: "raw",
  notes: [],
  time,
  mean: time.map((at) => at / 60),
});
const buckets = (at: number): Asked => {
  const asked = page.of("buckets")[at];
  assert.ok(asked, `question ${at} for buckets`);
  return asked;
};
const seconds = (asked: Asked, name: string): number => Date.parse(asked.query.get(name) ?? "") / 1000;
const answerBeside = async () => {
  await page.of("events").at(-1)?.answer({ events: [], earlier: null });
  await page.of("alarm_periods").at(-1)?.answer({ periods: [] });
};

test("a refused chart says why, also after the events beside it were answered", async () => {
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ error: { code: "takes_too_long", message: "this takes too long" } }, 422);
  await settle();
  await answerBeside();
  await settle();
  assert.deepEqual(store.state.chart.error, "this takes too long");
  assert.deepEqual(store.state.chartEvents.data, { events: [], periods: [] });
});

test("patterns are asked for when it is known which series there are; names in full at once", async () => {
  await go("#/chart?s=a&range=3600", null);
  assert.equal(page.asked.length, 0);
  await go("#/chart?s=a.t&range=3600", null);
  assert.deepEqual(buckets(0).query.getAll("series"), ["a.t"]);
  await go("#/chart?s=a&range=3600");
  assert.deepEqual(buckets(1).query.getAll("series"), NAMES);
  assert.equal(buckets(1).query.get("shape"), "columns");
});

test("a chart that waits for the sensors is answered as its own address says, whatever page is shown by then", async () => {
  await go("#/chart?s=a.t&s=nobody.x&range=3600", null);
  await buckets(0).answer({ error: { code: "unknown_series", message: "no such series" } }, 404);
  await go("#/events", null);
  await go("#/events");
  await buckets(1).answer({ series: [columns([60, 120])] });
  await settle();
  assert.deepEqual(store.state.chart.data?.unknown, ["nobody.x"]);
  assert.equal(store.state.chart.data?.series.length, 1);
});

test("a range of the file that cannot be read is named below the chart", async () => {
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ series: [columns([60])], unreadable: [{ series: "a.t", since: 0, until: 60 }] });
  await settle();
  assert.match(store.state.chart.data?.notes[0] ?? "", /^a\.t cannot be read from .*: the file is damaged$/);
});

test("a live chart asks for its last steps, and for those of the period before", async () => {
  const now = Math.floor(Date.now() / 1000);
  await go("#/chart?s=a.t&range=3600&compare=1");
  await buckets(0).answer({ series: [columns([now - 180, now - 120, now - 60])] });
  await buckets(1).answer({ series: [columns([now - 3780, now - 3720, now - 3660])] });
  await settle();
  await answerBeside();
  questions.news(new Set(["a.t"]));
  await page.timers.pass(60_000);
  assert.equal(page.of("buckets").length, 4);
  assert.equal(seconds(buckets(2), "since"), now - 120);
  assert.equal(seconds(buckets(3), "since"), now - 3720);
  assert.ok(Math.abs(seconds(buckets(3), "until") - seconds(buckets(2), "until") + 3600) < 0.01);
  await buckets(2).answer({ series: [columns([now - 120, now - 60, now])] });
  await buckets(3).answer({ series: [columns([now - 3720, now - 3660, now - 3600])] });
  await settle();
  const { data } = store.state.chart;
  assert.deepEqual(data?.series[0]?.time, [now - 180, now - 120, now - 60, now]);
  assert.equal(data?.before[0]?.time.at(-1), now - 3600);
});

test("a series that is silent does not have the others asked for as far back as itself", async () => {
  const minute = Math.floor(Date.now() / 60_000) * 60;
  const upTo = (last: number) => Array.from({ length: 50 }, (_, row) => last - (49 - row) * 60);
  await go("#/chart?s=a.t&s=a.h&range=21600");
  await buckets(0).answer({ series: [columns(upTo(minute)), { ...columns(upTo(minute - 240 * 60)), channel: "h" }] });
  await settle();
  await answerBeside();
  questions.news(new Set(["a.t"]));
  await page.timers.pass(60_000);
  const asked = page.of("buckets").slice(1);
  const since = new Map(asked.map((question) => [question.query.getAll("series").join(), seconds(question, "since")]));
  assert.deepEqual([since.get("a.t"), since.get("a.h")], [minute - 60, minute - 241 * 60]);
});

test("readings of series that the chart does not show, or of a past view, ask nothing", async () => {
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ series: [columns([60])] });
  await settle();
  questions.news(new Set(["a.h"]));
  await page.timers.pass(60_000);
  await go("#/chart?s=a.t&since=0&until=3600");
  await buckets(1).answer({ series: [columns([60])] });
  await settle();
  questions.news(new Set(["a.t"]));
  await page.timers.pass(60_000);
  assert.equal(page.of("buckets").length, 2);
});

test("a chart that is outdated is asked for whole", async () => {
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ series: [columns([60])] });
  await settle();
  store.change(({ chart }) => ({ chart: outdated(chart) }));
  assert.equal(store.state.chart.busy, true);
  assert.ok(store.state.chart.data);
  assert.equal(buckets(1).query.get("every"), null);
});

test("a live chart that was refused is asked for whole a minute later; its error stays until then", async () => {
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ series: [columns([60])] });
  await settle();
  await go("#/chart?s=a.t&range=7200");
  await buckets(1).answer({ error: { code: "takes_too_long", message: "this takes too long" } }, 422);
  await settle();
  questions.news(new Set(["a.t"]));
  assert.equal(store.state.chart.error, "this takes too long");
  await page.timers.pass(60_000);
  assert.equal(page.of("buckets").length, 3);
  assert.equal(buckets(2).query.get("every"), null);
});

test("after a long sleep no more of a live chart is asked for than is shown", async () => {
  const now = Math.floor(Date.now() / 1000);
  await go("#/chart?s=a.t&range=3600");
  await buckets(0).answer({ series: [columns([now - 200_000, now - 199_940])] });
  await settle();
  questions.news(new Set(["a.t"]));
  await page.timers.pass(60_000);
  assert.ok(seconds(buckets(1), "since") >= now - 3600 - 120);
});

test("what was asked early is taken once, for the address that it was asked for", async () => {
  const answer = Promise.resolve({ status: 200, ok: true, body: { series: [columns([60])] } });
  const early = { key: chartKey(read("#/chart?s=a.t&range=3600")), since: 0, until: 3600, answer };
  window.sensorlogdAskedEarly = early;
  await go("#/chart?s=a.t&range=3600");
  await settle();
  assert.equal(page.of("buckets").length, 0);
  assert.deepEqual([store.state.chart.data?.until, window.sensorlogdAskedEarly], [3600, undefined]);
  window.sensorlogdAskedEarly = early;
  await go("#/chart?s=a.t&range=7200");
  assert.equal(page.of("buckets").length, 1);
});
