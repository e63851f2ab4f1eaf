// What each page asks, and when it asks again.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Questions } from "../../../src/load/questions/page";
import { Store } from "../../../src/state/model";
import { read } from "../../../src/state/route";
import { type Browser, browser, settle } from "../../pretend";

let page: Browser;
let store: Store;

beforeEach(() => {
  page = browser();
  store = new Store((act) => act());
  const questions = new Questions(store);
  store.listen(questions.askForPage);
});

/** What the questions for buckets asked for so far: when the range of each begins. */
const begins = (endpoint: string): number[] => page.of(endpoint).map(({ query }) => Date.parse(query.get("since") ?? "") / 1000);

const midnight = (year: number, month: number, day: number): number => new Date(year, month, day).getTime() / 1000;

test("after midnight consumption is asked for the new day, and yesterday's is not shown as today's", async () => {
  const evening = midnight(2026, 1, 15) - 60;
  store.change(() => ({ route: read("#/use?s=a.energy&by=1h"), now: evening }));
  await page.of("buckets")[0]?.answer({ series: [{ sensor: "a", channel: "energy", time: [], increase: [] }] });
  await page.of("cost")[0]?.answer({ series: [] });
  await settle();
  store.change(() => ({ now: evening + 30 }));
  assert.equal(page.of("buckets").length, 1); // still the same day
  store.change(() => ({ now: evening + 61 }));
  assert.deepEqual(begins("buckets"), [midnight(2026, 1, 14), midnight(2026, 1, 15)]);
  assert.deepEqual(begins("cost"), begins("buckets"));
  assert.equal(store.state.buckets.data, null);
});

test("after New Year the new year is asked for; a year that the address names stays", async () => {
  const eve = midnight(2027, 0, 1) - 60;
  store.change(() => ({ route: read("#/year?s=a.t"), now: eve }));
  store.change(() => ({ now: eve + 120 }));
  assert.deepEqual(begins("buckets"), [midnight(2026, 0, 1), midnight(2027, 0, 1)]);
  store.change(() => ({ route: read("#/year?s=a.t&year=2025"), now: eve }));
  store.change(() => ({ now: eve + 120 }));
  assert.deepEqual(begins("buckets").slice(2), [midnight(2025, 0, 1)]);
});
