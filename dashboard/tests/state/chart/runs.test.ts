// How long states lasted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runsOf } from "../../../src/state/chart/runs";
import { buckets, lineOf } from "./made";

const states = (mid: (number | null)[], more = {}) =>
  runsOf({ ...lineOf(buckets(mid, { kind: "state" })), maxGap: 150, ...more });

test("a state lasts until the next one, through steps without a value, and no longer than a gap", () => {
  const runs = states([0, 0, 1, null, 1, 0, null, null, null, 0]);
  assert.deepEqual(
    runs.map(({ from, until, value }) => [from, until, value]),
    [
      [0, 120, 0],
      [120, 300, 1],
      [300, 450, 0],
      [540, 690, 0],
    ],
  );
});

test("a step with several states is a run of its own", () => {
  const runs = states([1, 1, 1], { low: [1, 0, 1] });
  assert.deepEqual(
    runs.map((run) => run.mixed),
    [false, true, false],
  );
  assert.deepEqual(states([null, null]), []);
});
