// The clocks of server and browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aheadOf, isAhead } from "../../src/state/clocks";

test("an answer that was long on its way does not set the clock", () => {
  assert.deepEqual([aheadOf(105, 100, 110), aheadOf(100, 100, 110), aheadOf(110, 100, 110)], [0, 0, 0]);
  assert.deepEqual([aheadOf(90, 100, 110), aheadOf(170, 100, 110)], [-10, 60]);
});

test("clocks that differ by less than two seconds count as equal", () => {
  assert.deepEqual([aheadOf(101.9, 100, 100), aheadOf(98.1, 100, 100), aheadOf(102, 100, 100)], [0, 0, 2]);
  assert.deepEqual([isAhead(102, 100), isAhead(102.1, 100)], [false, true]);
});
