// Times and ages in words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { age, duration, ticks } from "../../src/state/words";

test("ages in words", () => {
  assert.deepEqual([0.5, 90, 3600, 100000].map(age), ["now", "1 min 30 s ago", "1 h ago", "1 d 3 h ago"]);
  assert.equal(age(null), "never");
  assert.equal(duration(59.9), "59 s");
});

test("no two marks of a time axis read alike beside each other", () => {
  for (const step of [0.1, 1, 60, 3600, 43200, 86400]) {
    const marks = ticks(
      Array.from({ length: 12 }, (_, index) => 1.7e9 + index * step),
      step,
    );
    assert.ok(
      marks.every((one, index) => index === 0 || one !== marks[index - 1]),
      `${step}: ${marks}`,
    );
  }
});
