// One at a time: no answer comes after that to a later question.

import assert from "node:assert/strict";
import { test } from "node:test";
import { oneAtATime } from "../../../src/load/questions/oneatatime";
import { settle } from "../../pretend";

test("what is wished while it runs is done by one more run after it, for which all wait", async () => {
  const ends: (() => void)[] = [];
  const act = oneAtATime(
    () =>
      new Promise<void>((done) => {
        ends.push(done);
      }),
  );
  let fulfilled = 0;
  for (const _ of [1, 2, 3])
    void act().then(() => {
      fulfilled += 1;
    });
  await settle();
  assert.equal(ends.length, 1);
  ends[0]?.();
  await settle();
  assert.deepEqual([ends.length, fulfilled], [2, 0]);
  ends[1]?.();
  await settle();
  assert.deepEqual([ends.length, fulfilled], [2, 3]);
  void act();
  assert.equal(ends.length, 3);
});
