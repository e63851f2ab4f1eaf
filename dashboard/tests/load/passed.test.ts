// How long ago something was, also after the clock was set.

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { passed } from "../../src/load/passed";

test("what lies ahead, because the clock was set back, was long ago", () => {
  mock.timers.enable({ apis: ["Date"], now: 5000 });
  assert.deepEqual([passed(2000), passed(5000), passed(5001)], [3000, 0, Number.POSITIVE_INFINITY]);
  mock.timers.reset();
});
