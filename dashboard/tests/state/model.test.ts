// The one store.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../src/state/model";

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
