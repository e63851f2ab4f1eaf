// The one store.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arrived, beginning, Store } from "../../src/state/model";
import { START } from "../../src/state/route";

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

test("a mark stays while the chart is moved, and not where there is no form for it: on another page, in a kiosk", () => {
  const marking = { since: 1, until: 2 };
  const chart = { ...START, page: "chart" as const, series: ["a.b"] };
  const state = { ...beginning(), route: chart, marking };
  assert.deepEqual(arrived(state, { ...chart, range: 60 }).marking, marking);
  assert.equal(arrived(state, { ...chart, kiosk: true }).marking, null);
  assert.equal(arrived(state, START).marking, null);
});
